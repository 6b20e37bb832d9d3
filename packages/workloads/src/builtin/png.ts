/**
 * The least PNG that every viewer reads: 256 colours, unfiltered rows.
 * Source: W3C, Portable Network Graphics (PNG) Specification, sections 5 (chunks) and 11.2 (IHDR, PLTE, IDAT, IEND).
 */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const INDEXED = 3;

/**
 * @param palette red, green and blue of each of up to 256 colours, a byte each
 * @param pixels width x height indices into the palette, row by row from the top
 */
export function encodePng(width: number, height: number, palette: Uint8Array, pixels: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BIT_DEPTH, INDEXED], 8);
  // each row begins with its filter: the byte that stays 0, for none
  const rows = Buffer.alloc((1 + width) * height);
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * width, (y + 1) * width), y * (1 + width) + 1);
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ]);
}

/** Length, type, data, and the checksum of type and data. */
function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.byteLength);
  bytes.writeUInt32BE(data.byteLength, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), 8 + data.byteLength);
  return bytes;
}
