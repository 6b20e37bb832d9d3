/**
 * Square matrices and what is computed of them, for the workloads that do. Only + - * in a fixed order, which every
 * machine rounds alike: the same matrix has the same checksum everywhere.
 */
import { mixSeed, Rng } from '@regatta/kernel';
import { digestValues } from '../digest.ts';

export interface Transform {
  /** The sum of the product's diagonal, and its largest entry. */
  readonly trace: number;
  readonly largest: number;
  /** Of all bits of the product. */
  readonly checksum: string;
}

/** Of A·Aᵀ. */
export function transformOf(matrix: Float64Array, size: number): Transform {
  const product = timesItsTranspose(matrix, size);
  let trace = 0;
  for (let i = 0; i < product.length; i += size + 1) trace += product[i]!;
  return { trace, largest: largestOf(product), checksum: checksum([product]) };
}

/** `size` x `size` numbers in [-1, 1), row by row: the matrix of that number under that seed. */
export function seededMatrix(seed: number, number: number, size: number): Float64Array {
  const rng = new Rng(mixSeed(seed, number));
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
export const checksum = (values: readonly unknown[]): string => digestValues(values).slice(0, 16);
