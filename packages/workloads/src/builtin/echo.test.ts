import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeValue, encodeValue } from '../pack.ts';
import { runSerially } from '../serially.ts';
import { echo } from './echo.ts';

const inputs = (count: number, bytes: number): Uint8Array[] => [...echo.inputs!({ count, bytes })];

/** What combine says of results that differ from what was sent by what `change` does to them. */
function intactAfter(bytes: number, change: (results: Uint8Array[]) => void): number {
  const values = inputs(4, bytes);
  change(values);
  const results = values.map((value, task) => ({ task, value }));
  return echo.combine(results, { count: 4, bytes }).intact;
}

describe('the inputs of echo', () => {
  it('are as many and as large as they are told to be', () => {
    for (const bytes of [0, 1, 3, 4, 5, 7, 65_535, 65_536, 65_540, 200_001]) {
      const sizes = inputs(3, bytes).map((input) => input.byteLength);
      assert.deepEqual(sizes, [bytes, bytes, bytes]);
    }
  });

  it('begin with the index of their task, and so differ', () => {
    const firstWords = inputs(300, 8).map((input) => Buffer.from(input).readUInt32LE());
    assert.deepEqual(firstWords, [...Array(300).keys()]);
  });

  it('are plain bytes, which need no structured clone', () => {
    for (const input of inputs(2, 8)) assert.equal(input.constructor, Uint8Array);
  });

  it('are made when they are asked for, not before', () => {
    // all of them would be 610 TiB
    const iterator = echo.inputs!({ count: 10_000_000, bytes: 2 ** 26 })[Symbol.iterator]();
    assert.equal(iterator.next().value!.byteLength, 2 ** 26);
  });

  it('stay as they are while further ones are made', () => {
    const [first, second] = inputs(2, 8);
    assert.notEqual(first!.buffer, second!.buffer);
  });
});

describe('a run of echo', () => {
  it('gives back what it was sent', async () => {
    const { results, combined } = await runSerially(echo, { count: 3, bytes: 100_000 });
    assert.deepEqual(
      results.map(({ value }) => value),
      inputs(3, 100_000),
    );
    assert.deepEqual(combined, { tasks: 3, bytes: 300_000, intact: 3 });
  });

  it('finds results intact that have been over the wire', () => {
    const results = inputs(4, 70_000).map((value, task) => ({
      task,
      value: decodeValue(encodeValue(value)) as Uint8Array,
    }));
    assert.equal(echo.combine(results.values(), { count: 4, bytes: 70_000 }).intact, 4);
  });

  it('counts intact results that are too short for a mark by their size', () => {
    for (const bytes of [0, 1, 3])
      assert.equal(
        intactAfter(bytes, () => {}),
        4,
      );
  });

  it('notices results that were swapped', () => {
    for (const bytes of [4, 100_000]) {
      assert.equal(
        intactAfter(bytes, (all) => all.reverse()),
        0,
      );
    }
  });

  it('notices a result that was cut short, or grew', () => {
    const ends = [99_999, 65_536, 0];
    for (const end of ends)
      assert.equal(
        intactAfter(100_000, (all) => (all[2] = all[2]!.subarray(0, end))),
        3,
      );
    assert.equal(
      intactAfter(100, (all) => (all[2] = new Uint8Array([...all[2]!, 0]))),
      3,
    );
  });

  it('notices a result whose parts moved, or whose tail was lost', () => {
    assert.equal(
      intactAfter(300_000, (all) => all[1]!.copyWithin(65_536, 131_072)),
      3,
    );
    assert.equal(
      intactAfter(300_000, (all) => all[1]!.fill(0, 299_000)),
      3,
    );
  });
});
