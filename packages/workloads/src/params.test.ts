import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import fc from 'fast-check';
import { defineWorkload } from './define.ts';
import { resolveParameters } from './params.ts';

const sample = defineWorkload({
  name: 'sample',
  kind: 'cpu',
  summary: 'for tests',
  parameters: {
    count: { default: 20, description: 'whole and bounded', min: 0, max: 1000, integer: true },
    rate: { default: 0.5, description: 'any number' },
    label: { default: 'none', description: 'any text' },
    loud: { default: false, description: 'yes or no' },
  },
  tasks: ({ count }) => count,
  run: (_params, { task }) => task,
  combine: () => undefined,
});
const bare = defineWorkload({ ...sample, name: 'bare', parameters: {}, tasks: () => 0 });

const refusal = (given: Record<string, unknown>): string => {
  try {
    resolveParameters(sample, given);
  } catch (thrown) {
    assert.ok(thrown instanceof RegattaError);
    assert.equal(thrown.code, 'BAD_PARAMETER');
    return thrown.message;
  }
  return assert.fail(`accepted ${String(Object.values(given))}`);
};

describe('the parameters of a run', () => {
  it('are the defaults where none are given', () => {
    assert.deepEqual(resolveParameters(sample, {}), { count: 20, rate: 0.5, label: 'none', loud: false });
  });

  it('may be given as text or as values of their type', () => {
    const expected = { count: 7, rate: -2.5, label: 'x', loud: true };
    assert.deepEqual(resolveParameters(sample, { count: '7', rate: '-2.5', label: 'x', loud: 'true' }), expected);
    assert.deepEqual(resolveParameters(sample, expected), expected);
  });

  it('may sit on their bounds', () => {
    assert.equal(resolveParameters(sample, { count: 0 }).count, 0);
    assert.equal(resolveParameters(sample, { count: '0' }).count, 0);
    assert.equal(resolveParameters(sample, { count: '1000' }).count, 1000);
  });

  it('may have underscores between their digits, and nowhere else', () => {
    assert.equal(resolveParameters(sample, { count: '1_000' }).count, 1000);
    for (const count of ['_', '__', '1_', '_1', '1__0']) assert.match(refusal({ count }), /count is "[_01]+"/);
  });

  it('may be written with an exponent', () => {
    assert.equal(resolveParameters(sample, { rate: '1e9' }).rate, 1e9);
  });

  it('are refused out of bounds, in one line that says the bounds', () => {
    for (const count of [-1, '-1', 1001, 1e9, '1e9']) {
      assert.equal(refusal({ count }), `sample: count is ${JSON.stringify(count)}; give a whole number from 0 to 1000`);
    }
  });

  it('are refused where they are no number', () => {
    for (const count of ['abc', '', ' ', null, undefined, true, [5], {}, '5 tasks']) refusal({ count });
    assert.equal(refusal({ rate: 'abc' }), 'sample: rate is "abc"; give a number');
  });

  it('are refused where they are no finite number, and the refusal names what was given', () => {
    assert.match(refusal({ count: Number.NaN }), /count is NaN;/);
    assert.match(refusal({ rate: Number.POSITIVE_INFINITY }), /rate is Infinity;/);
    assert.match(refusal({ rate: 'NaN' }), /rate is "NaN";/);
    assert.match(refusal({ count: 5n }), /count is 5;/);
  });

  it('are refused where a whole number is asked for and given in parts', () => {
    for (const count of [1.5, '1.5']) assert.match(refusal({ count }), /give a whole number/);
  });

  it('are refused where yes or no is asked for and something else given', () => {
    for (const loud of ['yes', '', 1, null]) assert.match(refusal({ loud }), /give true or false/);
  });

  it('are refused under a name that the workload does not have, with the names that it has', () => {
    const message = 'sample has no parameter "cuont"; it takes: count, rate, label, loud';
    assert.equal(refusal({ cuont: 5 }), message);
    assert.throws(() => resolveParameters(bare, { a: 1 }), /it takes: none/);
  });

  it('are refused under the name of something that every object inherits', () => {
    for (const name of ['toString', 'constructor', '__proto__']) {
      assert.match(refusal(JSON.parse(`{"${name}": 1}`)), /has no parameter/);
    }
  });

  it('come out as they went in, whatever the number within bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), (count) => {
        assert.equal(resolveParameters(sample, { count: String(count) }).count, count);
      }),
    );
  });
});
