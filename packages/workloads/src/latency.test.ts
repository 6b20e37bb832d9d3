import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rng } from '@regatta/kernel';
import { drawMs, type Latency, parseLatency } from './latency.ts';

const draws = (latency: Latency, seed = 1): number[] => {
  const rng = new Rng(seed);
  return Array.from({ length: 20_000 }, () => drawMs(latency, rng));
};
const meanOf = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a latency', () => {
  it('is read from its kind and its milliseconds', () => {
    assert.deepEqual(parseLatency('fixed:50'), { kind: 'fixed', ms: 50 });
    assert.deepEqual(parseLatency(' 2.5 '), { kind: 'fixed', ms: 2.5 });
    assert.deepEqual(parseLatency('uniform:10-90'), { kind: 'uniform', fromMs: 10, toMs: 90 });
    assert.deepEqual(parseLatency('exp:0'), { kind: 'exp', meanMs: 0 });
  });

  it('is refused in one line where it makes no sense', () => {
    const texts = ['', 'fixed', 'fixed:', 'fixed:-1', 'fixed:1-2', '1-2', 'uniform:5', 'uniform:9-1', 'exp:1-2'];
    for (const text of [...texts, 'exp:1.2.3', 'normal:5', 'fixed:1e3', 'fixed:600001', 'fixed:5ms']) {
      assert.throws(() => parseLatency(text), { code: 'BAD_LATENCY', message: /^latency is ".*"; give fixed:50, .*$/ });
    }
  });

  it('that is fixed is always the same', () => {
    assert.deepEqual([...new Set(draws({ kind: 'fixed', ms: 7 }))], [7]);
  });

  it('that is uniform lies between its bounds, and on average in their middle', () => {
    const values = draws({ kind: 'uniform', fromMs: 10, toMs: 90 });
    assert.ok(Math.min(...values) >= 10 && Math.max(...values) <= 90);
    assert.ok(Math.abs(meanOf(values) - 50) < 1);
  });

  it('that is exponential has its mean, a median well below, and an end', () => {
    const values = draws({ kind: 'exp', meanMs: 50 }).sort((a, b) => a - b);
    assert.ok(Math.abs(meanOf(values) - 50) < 1.5);
    assert.ok(Math.abs(values[10_000]! - 50 * Math.LN2) < 1.5);
    assert.ok(values[0]! >= 0 && values.at(-1)! < 22.2 * 50);
  });

  it('comes in whole microseconds, the same for the same seed', () => {
    const latency: Latency = { kind: 'exp', meanMs: 3 };
    for (const ms of draws(latency)) assert.equal(Math.round(ms * 1000) / 1000, ms);
    assert.deepEqual(draws(latency, 4), draws(latency, 4));
    assert.notDeepEqual(draws(latency, 4), draws(latency, 5));
  });

  it('takes one number of the generator, whatever its kind', () => {
    for (const text of ['fixed:5', 'uniform:1-2', 'exp:5']) {
      const [rng, other] = [new Rng(9), new Rng(9)];
      drawMs(parseLatency(text), rng);
      other.uint32();
      assert.equal(rng.uint32(), other.uint32());
    }
  });
});
