import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IgnoreReason } from './effects.ts';
import type { Event } from './events.ts';
import { reasonCodes } from './explain.ts';
import { codeIn, columnTitled } from './testing/design-page.ts';
import { rank } from './testing/ledger.ts';

// The compiler sees to it that these are all.
const events = {
  runSubmitted: 1,
  runStopped: 1,
  nodeJoined: 1,
  nodeLost: 1,
  nodeDraining: 1,
  nodeResumed: 1,
  attemptReported: 1,
  tick: 1,
  recovered: 1,
} satisfies Record<Event['kind'], 1>;
const ignoreReasons = {
  'stale-node': 1,
  'fenced-attempt': 1,
  'out-of-order': 1,
  malformed: 1,
  'unknown-run': 1,
  'already-stopping': 1,
  'already-draining': 1,
  'not-draining': 1,
} satisfies Record<IgnoreReason, 1>;

describe('docs/SCHEDULER.md', () => {
  it('tells of every event and of no other', () => assert.deepEqual(columnTitled('event'), Object.keys(events)));

  it('tells of every effect and of no other', () => {
    assert.deepEqual(columnTitled('effect').sort(), Object.keys(rank).sort());
  });

  it('tells of every reason to ignore an event and of no other', () => {
    assert.deepEqual(columnTitled('reason'), Object.keys(ignoreReasons));
  });

  it('tells of every reason why a run is not done and of no other', () => {
    const codes = codeIn('**A run does not get on.**').filter((code) => /^[A-Z_]+$/.test(code));
    assert.deepEqual(codes.sort(), [...reasonCodes].sort());
  });
});
