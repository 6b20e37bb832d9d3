import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { between, stretchesOf } from './reports.ts';

describe('the failed tasks of a report', () => {
  it('are taken together where they are neighbours', () => {
    assert.deepEqual(stretchesOf([]), []);
    assert.deepEqual(stretchesOf([3]), [{ from: 3, to: 4 }]);
    assert.deepEqual(stretchesOf([3, 4, 5, 9, 11, 12]), [
      { from: 3, to: 6 },
      { from: 9, to: 10 },
      { from: 11, to: 13 },
    ]);
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
