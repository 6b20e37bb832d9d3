import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { lengthOf, type Range, RangeSet } from './range.ts';

const SPAN = 60;
const anyRange = fc.tuple(fc.nat(SPAN), fc.nat(SPAN)).map(([from, to]) => ({ from, to }));
const anyRanges = fc.array(anyRange, { maxLength: 30 });

const numbersIn = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(({ from, to }) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i));

function setOf(ranges: readonly Range[]): RangeSet {
  const set = new RangeSet();
  for (const { from, to } of ranges) set.add(from, to);
  return set;
}

/** Sorted, apart and not empty: one range for each run of neighbours. */
function assertTidy(ranges: readonly Range[]): void {
  for (const [i, range] of ranges.entries()) {
    assert.ok(range.from < range.to, 'a range is empty');
    if (i > 0) assert.ok(ranges[i - 1]!.to < range.from, 'ranges touch');
  }
}

describe('a set of ranges', () => {
  it('holds what a plain set holds, whatever was added', () => {
    fc.assert(
      fc.property(anyRanges, (added) => {
        const set = setOf(added);
        const model = new Set(numbersIn(added));
        assert.deepEqual(
          numbersIn(set.ranges),
          [...model].sort((a, b) => a - b),
        );
        assert.equal(set.size, model.size);
        for (let value = -1; value <= SPAN + 1; value++) assert.equal(set.has(value), model.has(value), `${value}`);
        assertTidy(set.ranges);
      }),
    );
  });

  it('returns from each addition exactly what was new in it', () => {
    fc.assert(
      fc.property(anyRanges, anyRange, (added, { from, to }) => {
        const model = new Set(numbersIn(added));
        const fresh = setOf(added).add(from, to);
        assert.deepEqual(
          numbersIn(fresh),
          numbersIn([{ from, to }]).filter((value) => !model.has(value)),
        );
        assertTidy(fresh);
      }),
    );
  });

  it('tells what is missing, and changes nothing by it', () => {
    fc.assert(
      fc.property(anyRanges, anyRange, (added, { from, to }) => {
        const set = setOf(added);
        const before = structuredClone(set.ranges);
        const missing = set.missing(from, to);
        assert.deepEqual(missing, setOf(added).add(from, to));
        assert.deepEqual(set.ranges, before);
      }),
    );
  });

  it('does not depend on the order of additions', () => {
    fc.assert(
      fc.property(anyRanges, (added) => assert.deepEqual(setOf(added.toReversed()).ranges, setOf(added).ranges)),
    );
  });

  it('keeps one range for numbers added in order, however many', () => {
    const set = new RangeSet();
    for (let i = 0; i < 10_000; i++) set.add(i, i + 1);
    assert.deepEqual(set.ranges, [{ from: 0, to: 10_000 }]);
  });

  it('takes a range that is empty or backwards for nothing', () => {
    const set = setOf([{ from: 3, to: 5 }]);
    assert.deepEqual(set.add(4, 4), []);
    assert.deepEqual(set.add(9, 7), []);
    assert.deepEqual(set.ranges, [{ from: 3, to: 5 }]);
  });
});

describe('the length of a range', () => {
  it('counts its first number and not its end', () => {
    assert.equal(lengthOf({ from: 3, to: 7 }), 4);
  });
});
