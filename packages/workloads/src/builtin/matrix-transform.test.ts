import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mixSeed, Rng } from '@regatta/kernel';
import { digestValues } from '../digest.ts';
import { runSerially } from '../serially.ts';
import { matrixTransform } from './matrix-transform.ts';

/** By the definition: rows of numbers, transposed, multiplied. */
function productByHand(seed: number, task: number, size: number): number[][] {
  const rng = new Rng(mixSeed(seed, task));
  const a = Array.from({ length: size }, () => Array.from({ length: size }, () => 2 * rng.unit() - 1));
  const transposed = a.map((_, row) => a.map((line) => line[row]!));
  return a.map((line) => a.map((_, column) => line.reduce((sum, x, k) => sum + x * transposed[k]![column]!, 0)));
}

describe('a task of matrix-transform', () => {
  it('gives the trace, the largest entry and the checksum of its matrix times its transpose', async () => {
    for (const size of [1, 2, 7, 40]) {
      const { results } = await runSerially(matrixTransform, { count: 3, size, seed: 5 });
      for (const { task, value } of results) {
        const product = productByHand(5, task, size);
        assert.equal(
          value.trace,
          product.reduce((sum, row, i) => sum + row[i]!, 0),
        );
        assert.equal(value.largest, Math.max(...product.flat()));
        assert.equal(value.checksum, digestValues([Float64Array.from(product.flat())]).slice(0, 16));
      }
    }
  });

  it('has a matrix unlike its neighbours, and another for another seed', async () => {
    const checksums = async (seed: number): Promise<string[]> =>
      (await runSerially(matrixTransform, { count: 10, size: 5, seed })).results.map(({ value }) => value.checksum);
    assert.equal(new Set([...(await checksums(1)), ...(await checksums(2))]).size, 20);
  });
});

describe('a run of matrix-transform', () => {
  it('gives this checksum by default, today and on every machine', async () => {
    const { combined } = await runSerially(matrixTransform);
    assert.deepEqual(combined, { count: 20, trace: 266694.7069717974, checksum: 'b0d977db1a0cfc22' });
  });

  it('sums the traces', async () => {
    const { results, combined } = await runSerially(matrixTransform, { count: 4, size: 3 });
    assert.equal(combined.count, 4);
    assert.equal(
      combined.trace,
      results.reduce((sum, { value }) => sum + value.trace, 0),
    );
  });

  it('shows in its checksum that a task is missing, or out of place', async () => {
    const { params, results, combined } = await runSerially(matrixTransform, { count: 4, size: 3 });
    const without = matrixTransform.combine(results.slice(1), params);
    const reversed = matrixTransform.combine(results.toReversed(), params);
    assert.equal(new Set([combined, without, reversed].map(({ checksum }) => checksum)).size, 3);
  });
});
