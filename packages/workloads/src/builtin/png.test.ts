import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import { runSerially } from '../serially.ts';
import { mandelbrot } from './mandelbrot.ts';
import { encodePng } from './png.ts';

const PALETTE = Uint8Array.from({ length: 768 }, (_, i) => i % 256);

/** Chunks by type; checks every checksum on the way. */
function chunksOf(png: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(png);
  assert.equal(bytes.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.byteLength; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    assert.equal(bytes.readUInt32BE(end), crc32(bytes.subarray(at + 4, end)));
    chunks.set(bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, end));
    at = end + 4;
  }
  return chunks;
}

/** The pixels, row by row, and with them the check that no row is filtered. */
function pixelsOf(png: Uint8Array, width: number): number[] {
  const rows = inflateSync(chunksOf(png).get('IDAT')!);
  const filters = rows.filter((_, i) => i % (width + 1) === 0);
  assert.ok(filters.every((filter) => filter === 0));
  return [...rows.filter((_, i) => i % (width + 1) !== 0)];
}

describe('an encoded PNG', () => {
  it('has the chunks that a reader needs, in order', () => {
    const chunks = chunksOf(encodePng(3, 2, PALETTE, Uint8Array.of(1, 2, 3, 4, 5, 6)));
    assert.deepEqual([...chunks.keys()], ['IHDR', 'PLTE', 'IDAT', 'IEND']);
    assert.deepEqual([...chunks.get('IHDR')!], [0, 0, 0, 3, 0, 0, 0, 2, 8, 3, 0, 0, 0]);
    assert.deepEqual(new Uint8Array(chunks.get('PLTE')!), PALETTE);
  });

  it('holds every pixel in its place', () => {
    assert.deepEqual(pixelsOf(encodePng(3, 2, PALETTE, Uint8Array.of(1, 2, 3, 4, 5, 6)), 3), [1, 2, 3, 4, 5, 6]);
  });

  it('checks out against one that another encoder made', () => {
    // the checksum of every PNG's last chunk, from the specification
    assert.equal(
      Buffer.from(encodePng(1, 1, PALETTE, Uint8Array.of(0)))
        .toString('hex')
        .slice(-24),
      '0000000049454e44ae426082',
    );
  });
});

describe('the file of mandelbrot', () => {
  it('is a PNG of its bands', async () => {
    const { params, results } = await runSerially(mandelbrot, { width: 20, height: 15, rowsPerTask: 4 });
    const png = mandelbrot.file!(results.values(), params);
    assert.deepEqual(
      pixelsOf(png, 20),
      results.flatMap(({ value }) => [...value]),
    );
  });

  it('is black where a band is missing, and has the others in place', async () => {
    const { params, results } = await runSerially(mandelbrot, { width: 20, height: 15, rowsPerTask: 4 });
    const pixels = pixelsOf(
      mandelbrot.file!(
        results.filter(({ task }) => task !== 1),
        params,
      ),
      20,
    );
    assert.ok(pixels.slice(80, 160).every((pixel) => pixel === 0));
    assert.deepEqual(pixels.slice(160, 240), [...results[2]!.value]);
  });

  it('has 256 different colours, of which the first is black', async () => {
    const { params, results } = await runSerially(mandelbrot, { width: 2, height: 2 });
    const palette = chunksOf(mandelbrot.file!(results, params)).get('PLTE')!;
    const colours = Array.from({ length: 256 }, (_, i) => palette.toString('hex', 3 * i, 3 * i + 3));
    assert.equal(colours[0], '000000');
    assert.equal(new Set(colours).size, 256);
  });
});
