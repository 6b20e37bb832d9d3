import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Meter } from './stats.ts';

describe('the meter of the target', () => {
  it('finds the busiest 1000 ms wherever it begins', () => {
    const meter = new Meter();
    // two in each second of the clock, but four between 800 and 1799
    for (const at of [100, 800, 900, 1200, 1799, 2900]) meter.begin(at);
    assert.equal(meter.read().perSecondMax, 4);
  });

  it('does not count a request exactly a second later', () => {
    const meter = new Meter();
    for (const at of [0, 1000, 2000]) meter.begin(at);
    assert.equal(meter.read().perSecondMax, 1);
  });

  it('stays right over many requests', () => {
    const meter = new Meter();
    for (let at = 0; at < 100_000; at++) meter.begin(at * 2);
    assert.deepEqual([meter.read().requests, meter.read().perSecondMax], [100_000, 500]);
  });

  it('knows how many were in flight at once', () => {
    const meter = new Meter();
    for (let i = 0; i < 3; i++) meter.begin(i);
    meter.end(200);
    meter.end(undefined);
    meter.begin(4);
    const { inFlight, inFlightMax, statuses, cutShort } = meter.read();
    assert.deepEqual(
      { inFlight, inFlightMax, statuses, cutShort },
      { inFlight: 2, inFlightMax: 3, statuses: { 200: 1 }, cutShort: 1 },
    );
  });
});
