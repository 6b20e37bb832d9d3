import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs, jitterOf } from './backoff.ts';
import { Run } from './run.ts';

const shape = { processes: 1, threads: 1, concurrency: 1 };
const plan = {
  workload: 'sums',
  tasks: 1,
  shape,
  nodes: 0,
  policy: 'self',
  chunk: 0,
  retries: 0,
  deadlineMs: 0,
} as const;
const seedOf = (runId: string): number => new Run({ ...plan, runId }, 0).seed;

describe('a backoff', () => {
  it('doubles with each failure, up to its limit', () => {
    const longest = [0, 1, 2, 6, 7, 100].map((times) => backoffMs(times, 1 - Number.EPSILON));
    assert.deepEqual(longest, [50, 100, 200, 3_200, 5_000, 5_000]);
  });

  it('is at least half of that', () => {
    assert.deepEqual(
      [0, 1, 2, 6, 7, 100].map((times) => backoffMs(times, 0)),
      [25, 50, 100, 1_600, 2_500, 2_500],
    );
  });

  it('is spread evenly over that half by task, by attempt and by run, in whole ms', () => {
    const waits = [
      Array.from({ length: 5_200 }, (_, task) => jitterOf(seedOf('r1'), task, 1)),
      Array.from({ length: 5_200 }, (_, attempt) => jitterOf(seedOf('r1'), 0, attempt)),
      Array.from({ length: 5_200 }, (_, run) => jitterOf(seedOf(`r${run}`), 0, 1)),
    ].map((jitters) => jitters.map((jitter) => backoffMs(0, jitter)));
    for (const spread of waits) {
      for (let ms = 25; ms <= 50; ms++) {
        const share = spread.filter((wait) => wait === ms).length;
        // 200 are due, and chance is off by 14 in most cases.
        assert.ok(share > 130 && share < 270, `${share} of 5200 wait ${ms} ms`);
      }
      assert.ok(spread.every((wait) => Number.isInteger(wait)));
    }
  });

  it('is the same whenever it is asked for', () => {
    assert.equal(jitterOf(seedOf('r1'), 3, 2), jitterOf(seedOf('r1'), 3, 2));
    assert.notEqual(seedOf('r1'), seedOf('r2'));
  });
});
