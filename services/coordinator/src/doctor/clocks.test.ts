import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeClock } from './clocks.ts';

const judge = (offsetMs: number, roundTripMs = 2) =>
  judgeClock({ group: 'nodes', name: 'a clock' }, offsetMs, roundTripMs, "the coordinator's");

describe('a clock', () => {
  it('is well within half a second, warned of beyond, and wrong beyond ten', () => {
    assert.equal(judge(400).level, 'ok');
    assert.equal(judge(-501.5).level, 'warning');
    assert.equal(judge(9_999).level, 'warning');
    assert.equal(judge(10_002).level, 'wrong');
  });

  it('says which way it is off, and what to do', () => {
    assert.equal(judge(2_000).what, "2000 ms ahead of the coordinator's");
    assert.equal(judge(-2_000).what, "2000 ms behind the coordinator's");
    assert.match(judge(2_000).mend!, /NTP/);
    assert.equal(judge(3).mend, null);
  });

  it('is not blamed for a slow way', () => {
    assert.equal(judge(1_400, 2_000).level, 'ok');
    assert.equal(judge(1_600, 2_000).level, 'warning');
    assert.equal(judge(10, 20).what, "within 20 ms of the coordinator's");
  });
});
