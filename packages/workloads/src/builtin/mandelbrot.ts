/**
 * The Mandelbrot set, in bands of rows: tasks of very uneven cost, for a band through the set costs many times one
 * at its edge. It shows what chunk sizes do to the end of a run.
 *
 * In: an image of `width` x `height` pixels, of the region of the complex plane that is `scale` wide around
 * (`centerX`, `centerY`). Out of a task: `rowsPerTask` rows, one byte a pixel: 0 inside the set, else 1..255, the
 * fourth root of its escape time over `maxIterations`. Combined: how many pixels are inside, and the area they stand
 * for (the whole set's is about 1.5066). File: a PNG, where the bands of failed tasks are black.
 *
 * Source: z <- z² + c from z = 0; c is outside as soon as |z| > 2. Bulbs known to be inside are not skipped, since
 * their cost is the point. Only + - * / and square roots, which every machine rounds alike.
 */
import { defineWorkload } from '../define.ts';
import { encodePng } from './png.ts';

const side = { unit: 'pixels', min: 1, max: 16_384, integer: true };

export const mandelbrot = defineWorkload({
  name: 'mandelbrot',
  kind: 'cpu',
  summary: 'Draws the Mandelbrot set in bands of rows, of very uneven cost; --out writes a PNG',
  parameters: {
    width: { ...side, default: 640, description: 'width of the image' },
    height: { ...side, default: 480, description: 'height of the image' },
    maxIterations: { default: 500, description: 'when to call a pixel inside', min: 1, max: 1_000_000, integer: true },
    rowsPerTask: { default: 8, description: 'height of a band', unit: 'rows', min: 1, max: 16_384, integer: true },
    centerX: { default: -0.5, description: 'centre of the region, real part', min: -4, max: 4 },
    centerY: { default: 0, description: 'centre of the region, imaginary part', min: -4, max: 4 },
    // a double tells no pixels apart below that
    scale: { default: 3, description: 'width of the region', min: 1e-12, max: 100 },
  },
  tasks: ({ height, rowsPerTask }) => Math.ceil(height / rowsPerTask),
  run({ width, height, maxIterations, rowsPerTask, centerX, centerY, scale }, { task }) {
    const top = task * rowsPerTask;
    const rows = Math.min(rowsPerTask, height - top);
    const pixels = new Uint8Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const y = centerY + ((height / 2 - top - row - 0.5) * scale) / width;
      for (let column = 0; column < width; column++) {
        const x = centerX + ((column + 0.5 - width / 2) * scale) / width;
        pixels[row * width + column] = shade(escapeTime(x, y, maxIterations) / maxIterations);
      }
    }
    return pixels;
  },
  combine(results, { width, height, scale }) {
    let inside = 0;
    for (const { value: pixels } of results) for (const pixel of pixels) if (pixel === 0) inside++;
    return { width, height, inside, area: inside * (scale / width) ** 2 };
  },
  file(results, { width, height, rowsPerTask }) {
    const pixels = new Uint8Array(width * height);
    for (const { task, value } of results) pixels.set(value, task * rowsPerTask * width);
    return encodePng(width, height, palette(), pixels);
  },
});

/** How many iterations c = x + yi takes to leave the circle of radius 2; `limit` where it does not. */
function escapeTime(x: number, y: number, limit: number): number {
  let re = 0;
  let im = 0;
  for (let i = 0; i < limit; i++) {
    const re2 = re * re;
    const im2 = im * im;
    if (re2 + im2 > 4) return i;
    im = 2 * re * im + y;
    re = re2 - im2 + x;
  }
  return limit;
}

/** The fourth root spreads the short escape times, which most pixels have, over more of the palette. */
const shade = (share: number): number => (share === 1 ? 0 : 1 + Math.floor(255 * Math.sqrt(Math.sqrt(share))));

/** Black for the set, then 255 colours from night blue by white and amber to near black. */
function palette(): Uint8Array {
  const stops = [0x000430, 0x0a1f7a, 0x206bcb, 0xedffff, 0xffaa00, 0x8a1c00, 0x100000];
  const colours = new Uint8Array(3 * 256);
  for (let shade = 1; shade < 256; shade++) {
    const place = ((shade - 1) / 255) * (stops.length - 1);
    const from = stops[Math.floor(place)]!;
    const to = stops[Math.floor(place) + 1]!;
    for (const [channel, shift] of [16, 8, 0].entries()) {
      const start = (from >> shift) & 255;
      colours[3 * shade + channel] = start + (((to >> shift) & 255) - start) * (place % 1);
    }
  }
  return colours;
}
