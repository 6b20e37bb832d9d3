import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import fc from 'fast-check';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { numberCruncher } from './number-cruncher.ts';

/** The square pyramidal number: the sum of i² for i < terms. */
function pyramidal(terms: number): bigint {
  const n = BigInt(terms);
  return ((n - 1n) * n * (2n * n - 1n)) / 6n;
}

const sumOf = async (n: number): Promise<bigint> =>
  (await runSerially(numberCruncher, { count: 1, n })).results[0]!.value;

describe('a sum of number-cruncher', () => {
  it('is the square pyramidal number, for every small n', async () => {
    for (let n = 1; n < 300; n++) assert.equal(await sumOf(n), pyramidal(n));
    assert.equal(await sumOf(0), 0n);
  });

  it('is the square pyramidal number, for any n', async () => {
    const terms = fc.integer({ min: 0, max: 1_000_000 });
    await fc.assert(
      fc.asyncProperty(terms, async (n) => assert.equal(await sumOf(n), n === 0 ? 0n : pyramidal(n))),
      { numRuns: 30 },
    );
  });

  it('stays exact on both sides of 2^53, and of every carry near it', async () => {
    // 300,081 terms is where the sum first passes 2^53
    assert.ok(pyramidal(300_080) < 2n ** 53n);
    assert.ok(pyramidal(300_081) > 2n ** 53n);
    const { results } = await runSerially(numberCruncher, { count: 10, n: 300_075 });
    for (const { task, value } of results) assert.equal(value, pyramidal(300_075 + task));
  });

  it('stays exact around five million terms, the default', async () => {
    const { results, combined } = await runSerially(numberCruncher);
    assert.equal(results.length, 20);
    for (const { task, value } of results) assert.equal(value, pyramidal(5_000_000 + task));
    const total = results.reduce((sum, { task }) => sum + pyramidal(5_000_000 + task), 0n);
    assert.equal(combined.total, total.toString());
  });

  it('stays exact at the most terms that a run may ask for', () => {
    const { n, count } = numberCruncher.parameters;
    const params = resolveParameters(numberCruncher, { n: n.max, count: count.max }) as { n: number; count: number };
    const task = numberCruncher.tasks(params) - 1;
    const { signal } = new AbortController();
    const sum = numberCruncher.run(params, { task, attempt: 1, signal, shared: undefined, input: undefined });
    assert.equal(sum, pyramidal(params.n + task));
  });
});

describe('what number-cruncher combines', () => {
  it('lists the sums as decimal strings while they are few', async () => {
    const { combined } = await runSerially(numberCruncher, { count: 3, n: 4 });
    assert.deepEqual(combined, { total: '99', sums: ['14', '30', '55'] });
  });

  it('gives the total alone where they are many', async () => {
    const { combined } = await runSerially(numberCruncher, { count: 101, n: 1 });
    assert.deepEqual(Object.keys(combined), ['total']);
  });
});

describe('a run of number-cruncher', () => {
  it('is refused more terms than it can sum exactly', () => {
    assert.throws(() => resolveParameters(numberCruncher, { n: 94_906_266 }), RegattaError);
  });
});
