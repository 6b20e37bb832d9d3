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
import { mixSeed, Rng } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';
import { digestValues } from '../digest.ts';

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
  run({ size, seed }, { task }) {
    const product = timesItsTranspose(randomMatrix(new Rng(mixSeed(seed, task)), size), size);
    let trace = 0;
    for (let i = 0; i < product.length; i += size + 1) trace += product[i]!;
    return { trace, largest: largestOf(product), checksum: checksum([product]) };
  },
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

function randomMatrix(rng: Rng, size: number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < matrix.length; i++) matrix[i] = 2 * rng.unit() - 1;
  return matrix;
}

/** Entry (i, j) of A·Aᵀ is row i of A times row j: both are read as they lie in memory. */
function timesItsTranspose(a: Float64Array, size: number): Float64Array {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) product[i * size + j] = dot(a, i * size, j * size, size);
  }
  return product;
}

function dot(a: Float64Array, left: number, right: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += a[left + k]! * a[right + k]!;
  return sum;
}

/** A loop: Math.max(...product) would put every entry on the stack. */
function largestOf(product: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const entry of product) if (entry > largest) largest = entry;
  return largest;
}

/** 64 bits of it tell apart any products that a person will compare. */
const checksum = (values: readonly unknown[]): string => digestValues(values).slice(0, 16);
