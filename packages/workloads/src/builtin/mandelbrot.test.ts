import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSerially } from '../serially.ts';
import { mandelbrot } from './mandelbrot.ts';

const small = { width: 60, height: 45, maxIterations: 100 };

type Params = Parameters<typeof mandelbrot.run>[0];

/** One byte a pixel, row by row, put together from the bands. */
async function image(given: Partial<Params>): Promise<Buffer> {
  const { results } = await runSerially(mandelbrot, given);
  return Buffer.concat(results.map(({ value }) => value));
}

describe('the image of mandelbrot', () => {
  it('is the same however it is cut into bands', async () => {
    const whole = await image({ ...small, rowsPerTask: 45 });
    assert.equal(whole.byteLength, 60 * 45);
    for (const rowsPerTask of [1, 8, 44, 100]) assert.deepEqual(await image({ ...small, rowsPerTask }), whole);
  });

  it('mirrors itself about the real axis', async () => {
    const pixels = await image(small);
    const row = (y: number): Buffer => pixels.subarray(60 * y, 60 * (y + 1));
    for (let y = 0; y < 45; y++) assert.deepEqual(row(y), row(44 - y));
  });

  it('is black at points known to be inside, and coloured at points known to be outside', async () => {
    const at = async (centerX: number, centerY: number): Promise<number> =>
      (await image({ width: 1, height: 1, scale: 1e-9, centerX, centerY, maxIterations: 1000 }))[0]!;
    for (const [x, y] of [
      [0, 0],
      [-1, 0],
      [0.25, 0],
      [0, 1],
      [-0.1, 0.75],
    ] as const)
      assert.equal(await at(x, y), 0);
    for (const [x, y] of [
      [0.26, 0],
      [1, 0],
      [-2.1, 0],
      [1, 1],
      [4, 4],
    ] as const)
      assert.notEqual(await at(x, y), 0);
  });

  it('has the upper half plane on top', async () => {
    // a column of c = 2i, i and 0, of which the first alone is outside
    const column = await image({ width: 1, height: 3, scale: 1, centerX: 0, centerY: 1 });
    assert.deepEqual(
      Array.from(column, (pixel) => pixel === 0),
      [false, true, true],
    );
  });

  it('is shaded by the fourth root of the escape time', async () => {
    // 0.5 leaves the circle in iteration 5: 0.5, 0.75, 1.06, 1.63, 3.15; and the fourth root of 5/80 is a half
    const pixel = await image({ width: 1, height: 1, centerX: 0.5, centerY: 0, maxIterations: 80 });
    assert.deepEqual([...pixel], [1 + Math.floor(255 / 2)]);
  });

  it('has the area of the set, as measured by others: 1.5066', async () => {
    const { combined } = await runSerially(mandelbrot);
    assert.equal(combined.area, combined.inside * (3 / 640) ** 2);
    assert.ok(Math.abs(combined.area - 1.5066) < 0.02, `area ${combined.area}`);
  });
});

describe('the tasks of mandelbrot', () => {
  it('are one for each band, the last one shorter', async () => {
    const { results } = await runSerially(mandelbrot, { ...small, rowsPerTask: 8 });
    assert.deepEqual(
      results.map(({ value }) => value.byteLength),
      [480, 480, 480, 480, 480, 300],
    );
  });
});
