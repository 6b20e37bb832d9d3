import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClockOffset } from './clock-offset.ts';
import { limits } from './limits.ts';

/** Heartbeats of a clock that is ahead by so much, each with what it takes on its way here and back. */
function heardFrom(aheadMs: number, ways: readonly (readonly [there: number, back: number])[]): ClockOffset {
  const clock = new ClockOffset();
  let before = 0;
  for (const [i, [there, back]] of ways.entries()) {
    const sentMs = 1_000_000 + 500 * i;
    clock.heard(sentMs + aheadMs, before, sentMs + there);
    before = there + back;
  }
  return clock;
}

describe('the offset of a clock', () => {
  it('is not known before the second heartbeat tells what the first one took', () => {
    assert.equal(heardFrom(40, [[1, 1]]).now, undefined);
    assert.deepEqual(
      heardFrom(40, [
        [1, 1],
        [1, 1],
      ]).now,
      { offsetMs: 40, roundTripMs: 2 },
    );
  });

  it('leaves out what the heartbeat took on its way, ahead and behind', () => {
    const ways = [
      [100, 100],
      [100, 100],
    ] as const;
    assert.equal(heardFrom(3_000, ways).now?.offsetMs, 3_000);
    assert.equal(heardFrom(-3_000, ways).now?.offsetMs, -3_000);
  });

  it('is that of the shortest round trip: one that waited for us for two seconds says nothing of the clock', () => {
    const { now } = heardFrom(0, [
      [2, 2],
      [2_000, 2],
      [3, 3],
      [3, 3],
    ]);
    assert.deepEqual(now, { offsetMs: 0, roundTripMs: 4 });
  });

  it('forgets: a clock that was set right is right a few heartbeats later', () => {
    const clock = heardFrom(60_000, [
      [1, 1],
      [1, 1],
    ]);
    for (let i = 0; i <= limits.clockSamplesMax; i++) clock.heard(2_000_000, 3, 2_000_000 + 1);
    assert.equal(clock.now?.offsetMs, 0.5);
  });

  it('is not known of a node that tells no clock, or no round trips', () => {
    const clock = new ClockOffset();
    for (const [wallMs, roundTripMs] of [
      [0, 0],
      [0, 5],
      [1_000, 5],
      [1_000, 0],
    ] as const)
      clock.heard(wallMs, roundTripMs, 900);
    assert.equal(clock.now, undefined);
  });
});
