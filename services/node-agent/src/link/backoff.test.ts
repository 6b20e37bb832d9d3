import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from './backoff.ts';

const steps = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.nextMs());

describe('while tries fail', () => {
  it('doubles the wait up to its bound', () => {
    const longest = new Backoff(100, 1_000, () => 1);
    assert.deepEqual(steps(longest, 6), [100, 200, 400, 800, 1_000, 1_000]);
  });

  it('may wait half as long, never less', () => {
    const shortest = new Backoff(100, 1_000, () => 0);
    assert.deepEqual(steps(shortest, 5), [50, 100, 200, 400, 500]);
  });

  it('does not return in step with others', () => {
    const backoff = new Backoff(1_000, 1_000);
    const waits = steps(backoff, 50);
    assert.ok(waits.every((ms) => ms >= 500 && ms < 1_000));
    assert.ok(new Set(waits).size > 1);
  });

  it('stays at its bound, however often', () => {
    const waits = steps(new Backoff(1, 5_000, () => 1), 2_000);
    assert.equal(waits.at(-1), 5_000);
  });
});

describe('after a success', () => {
  it('begins again with the shortest wait', () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    steps(backoff, 5);
    backoff.reset();
    assert.deepEqual(steps(backoff, 2), [100, 200]);
  });
});
