import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from './limits.ts';
import { between, stretchesOf } from './reports.ts';

/** The stretches without their waits. */
const bare = (ascending: readonly number[], waitsMs?: readonly number[], leastMs?: number) =>
  stretchesOf(ascending, waitsMs, leastMs).map(({ from, to }) => ({ from, to }));

describe('the failed tasks of a report', () => {
  it('are taken together where they are neighbours', () => {
    assert.deepEqual(bare([]), []);
    assert.deepEqual(bare([3]), [{ from: 3, to: 4 }]);
    assert.deepEqual(bare([3, 4, 5, 9, 11, 12]), [
      { from: 3, to: 6 },
      { from: 9, to: 10 },
      { from: 11, to: 13 },
    ]);
  });

  it('wait together for the longest of them, where that is at most twice as long as any asked for', () => {
    assert.deepEqual(stretchesOf([3, 4, 5], [100, 200, 150]), [{ from: 3, to: 6, waitMs: 200 }]);
    assert.deepEqual(stretchesOf([3, 4, 5], [200, 100, 201]), [
      { from: 3, to: 5, waitMs: 200 },
      { from: 5, to: 6, waitMs: 201 },
    ]);
    assert.deepEqual(stretchesOf([3, 5], [100, 100]), [
      { from: 3, to: 4, waitMs: 100 },
      { from: 5, to: 6, waitMs: 100 },
    ]);
  });

  it('are not parted for waits that are shorter than what is due anyway', () => {
    assert.deepEqual(stretchesOf([3, 4, 5], [0, 7, 25], 25), [{ from: 3, to: 6, waitMs: 25 }]);
  });

  it('wait no longer than the limit', () => {
    assert.deepEqual(stretchesOf([3], [1e12]), [{ from: 3, to: 4, waitMs: limits.retryAfterMsMax }]);
  });

  it('leave the succeeded ones between them', () => {
    const whole = { from: 0, to: 10 };
    assert.deepEqual(between(whole, []), [whole]);
    assert.deepEqual(between(whole, [whole]), []);
    assert.deepEqual(between(whole, stretchesOf([0, 4, 5, 9])), [
      { from: 1, to: 4 },
      { from: 6, to: 9 },
    ]);
  });
});
