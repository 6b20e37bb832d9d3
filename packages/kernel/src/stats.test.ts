import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { median } from './stats.ts';

describe('the median', () => {
  it('is the middle value, by size and not by spelling', () => {
    assert.equal(median([10, 9, 100]), 10);
    assert.equal(median([5]), 5);
  });

  it('is the mean of the two middle values where there are two', () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
  });

  it('has as many values below it as above, and leaves the list as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const before = [...values];
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        assert.ok(below <= values.length / 2);
        assert.ok(above <= values.length / 2);
        assert.deepEqual(values, before);
      }),
    );
  });
});
