import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineWorkload } from './define.ts';
import { runSerially } from './serially.ts';

const named = (name: string) =>
  defineWorkload({
    name,
    kind: 'cpu',
    summary: 'for tests',
    parameters: {
      count: { default: 3, description: 'how many', integer: true },
      word: { default: 'ab', description: 'what to repeat' },
    },
    tasks: ({ count }) => count,
    shared: ({ word }) => word.toUpperCase(),
    run: async ({ word }, { task, shared }) => ({ text: `${word}${shared}`.repeat(task) }),
    combine: (results) => Array.from(results, ({ value }) => value.text.length),
  });

describe('a defined workload', () => {
  it('runs, with its types inferred from its parameters, shared data and results', async () => {
    const { combined } = await runSerially(named('repeat'), { count: 4, word: 'x' });
    const lengths: number[] = combined;
    assert.deepEqual(lengths, [0, 2, 4, 6]);
  });

  it('widens the type of a parameter from its default', () => {
    const count: number = 8;
    assert.equal(named('repeat').tasks({ count, word: 'any' }), 8);
    // @ts-expect-error a text where a number is asked for
    named('repeat').tasks({ count: 'eight', word: 'any' });
  });

  it('may be called anything in lower case letters, digits and hyphens', () => {
    for (const name of ['a', 'sum-list', 'x2']) assert.equal(named(name).name, name);
  });

  it('is refused another name, in a message that says what a name may be', () => {
    for (const name of ['', 'Sum', '2x', '-a', 'a b', 'a_b', 'a\n', 'é']) {
      assert.throws(() => named(name), { name: 'TypeError', message: /use lower case letters, digits and hyphens/ });
    }
  });
});
