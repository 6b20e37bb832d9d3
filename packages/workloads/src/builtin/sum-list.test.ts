import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { runSerially } from '../serially.ts';
import { sumList } from './sum-list.ts';

const listOf = (length: number, seed = 1): Float64Array<SharedArrayBuffer> =>
  sumList.shared!({ length, pieces: 1, seed });

describe('the list of sum-list', () => {
  it('lies in memory that threads share', () => {
    assert.ok(listOf(10).buffer instanceof SharedArrayBuffer);
  });

  it('is the same wherever it is built, and another for another seed', () => {
    assert.deepEqual(listOf(100), listOf(100));
    assert.notDeepEqual(listOf(100, 2), listOf(100, 3));
  });

  it('holds numbers in [0, 1), spread evenly', () => {
    const list = listOf(10_000);
    assert.ok(list.every((value) => value >= 0 && value < 1));
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    assert.ok(Math.abs(mean - 0.5) < 0.001, `mean ${mean}`);
  });
});

describe('a run of sum-list', () => {
  it('sums every number once, whatever the pieces', async () => {
    const length = fc.nat(2000);
    const pieces = fc.integer({ min: 1, max: 300 });
    await fc.assert(
      fc.asyncProperty(length, pieces, async (length, pieces) => {
        const { results, combined } = await runSerially(sumList, { length, pieces });
        const whole = listOf(length).reduce((sum, value) => sum + value, 0);
        assert.equal(results.length, pieces);
        assert.equal(combined.length, length);
        assert.ok(Math.abs(combined.sum - whole) < 1e-9, `${combined.sum} is not ${whole}`);
      }),
    );
  });

  it('cuts pieces that differ by one number at most', async () => {
    const ones = listOf(1003);
    ones.fill(1);
    const { signal } = new AbortController();
    const params = { length: ones.length, pieces: 10, seed: 1 };
    const sizes = Array.from({ length: 10 }, (_, task) =>
      sumList.run(params, { task, attempt: 1, signal, shared: ones, input: undefined }),
    );
    assert.deepEqual([...new Set(sizes)].sort(), [100, 101]);
  });
});
