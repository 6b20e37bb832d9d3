/**
 * Pi by throwing darts: pure computing on random numbers, even costs, next to nothing to send.
 *
 * In: `count` tasks of `samples` points each, drawn from (seed, task). Out of a task: how many of its points fell
 * inside the quarter circle. Combined: all points, those inside, pi as they estimate it, and how far off that is. Each
 * is an exact count until the last division, so every model gives the same digits.
 *
 * Source: a point (x, y) uniform in the unit square has x² + y² < 1 with probability pi/4. The error shrinks as
 * 1.64 / sqrt(points), the deviation of a binomial count, but not for ever: the generator's 2^32 draws make 2^31
 * points, and tasks start anywhere in that one cycle. Past some hundred million points, more of them bring little new.
 */
import { mixSeed, Rng } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';

export const monteCarloPi = defineWorkload({
  name: 'monte-carlo-pi',
  kind: 'cpu',
  summary: 'Estimates pi from random points; each task gives how many of its own fell inside the quarter circle',
  parameters: {
    // count x samples stays below 2^53, so that no count rounds
    count: { default: 100, description: 'how many tasks', unit: 'tasks', min: 1, max: 1_000_000, integer: true },
    samples: {
      default: 100_000,
      description: 'points in each task',
      unit: 'points',
      min: 1,
      max: 1_000_000_000,
      integer: true,
    },
    seed: { default: 1, description: 'gives other points', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks: ({ count }) => count,
  run: ({ samples, seed }, { task }) => pointsInside(new Rng(mixSeed(seed, task)), samples),
  combine(results, { samples: each }) {
    let samples = 0;
    let inside = 0;
    for (const { value } of results) {
      samples += each;
      inside += value;
    }
    if (samples === 0) return { samples, inside, pi: null, error: null };
    const pi = (4 * inside) / samples;
    return { samples, inside, pi, error: Math.abs(pi - Math.PI) };
  },
});

/** A function of its own, so that V8 compiles the loop once, with the generator in it, and allocates nothing there. */
function pointsInside(rng: Rng, samples: number): number {
  let inside = 0;
  for (let i = 0; i < samples; i++) {
    const x = rng.unit();
    const y = rng.unit();
    if (x * x + y * y < 1) inside++;
  }
  return inside;
}
