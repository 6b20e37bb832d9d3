import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Blow, blowsOf, type Pace, targets } from './blows.ts';

const pace: Pace = { gapMs: [500, 3_000], briefMs: [200, 2_500], longMs: [3_500, 8_000], downMs: [0, 1_500] };
function first(count: number, seed: number): Blow[] {
  const blows = blowsOf(seed, pace);
  return Array.from({ length: count }, () => blows.next().value);
}

describe('the blows of a seed', () => {
  it('are the same each time, and others for another seed', () => {
    assert.deepEqual(first(100, 1), first(100, 1));
    assert.notDeepEqual(first(100, 1), first(100, 2));
  });

  it('strike each target in each way before any again: pauses that a lease outlasts and others, hosts that hang', () => {
    const all = targets.length * 3 + 3;
    const names = first(2 * all, 7).map(
      ({ target, way, forMs }) => `${way} ${target} ${way === 'pause' && forMs > 3_000}`,
    );
    assert.equal(new Set(names.slice(0, all)).size, all);
    assert.equal(new Set(names.slice(all)).size, all);
  });

  it('keep to the pace, but for those that fall at once', () => {
    const blows = first(1_000, 3);
    const atOnce = blows.filter(({ afterMs }) => afterMs <= 100);
    assert.ok(atOnce.length > 150 && atOnce.length < 350, `${atOnce.length} of 1000 at once`);
    for (const { afterMs, way, forMs } of blows) {
      assert.ok(afterMs <= 100 || (afterMs >= 500 && afterMs <= 3_000), `after ${afterMs} ms`);
      const spans = { kill: [pace.downMs], pause: [pace.briefMs, pace.longMs], hang: [pace.longMs] }[way];
      assert.ok(
        spans.some(([least, most]) => forMs >= least && forMs <= most),
        `${way} for ${forMs} ms`,
      );
    }
  });
});
