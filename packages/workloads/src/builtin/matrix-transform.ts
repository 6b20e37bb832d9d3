/**
 * Matrices times their own transposes: computing that leans on the caches, with memory of its own in each task.
 *
 * In: `count` tasks; each makes a `size` x `size` matrix A from (seed, task), of numbers in [-1, 1), and computes
 * A·Aᵀ. Out of a task: the trace and the largest entry of that product, and a checksum of all its bits. Combined: how
 * many there were, the sum of their traces, and one checksum over theirs in task order, so that it tells of a missing
 * task too.
 *
 * Only + - * in a fixed order, which every machine rounds alike: even the checksums are the same everywhere.
 */
import { defineWorkload } from '../define.ts';
import { checksum, seededMatrix, transformOf } from './matrix.ts';

export const matrixTransform = defineWorkload({
  name: 'matrix-transform',
  kind: 'cpu',
  summary: 'Multiplies matrices by their transposes; each task gives the trace and a checksum of its product',
  parameters: {
    count: { default: 20, description: 'how many matrices', unit: 'tasks', min: 1, max: 1_000_000, integer: true },
    // two matrices of 128 MiB at most
    size: { default: 200, description: 'rows and columns of each', min: 1, max: 4096, integer: true },
    seed: { default: 1, description: 'gives other matrices', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks: ({ count }) => count,
  run: ({ size, seed }, { task }) => transformOf(seededMatrix(seed, task, size), size),
  combine(results) {
    const checksums: string[] = [];
    let trace = 0;
    for (const { value } of results) {
      checksums.push(value.checksum);
      trace += value.trace;
    }
    return { count: checksums.length, trace, checksum: checksum(checksums) };
  },
});
