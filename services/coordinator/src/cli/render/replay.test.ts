import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { replayText } from './replay.ts';

const same = {
  events: 1_234,
  eventsBefore: 45,
  effects: 5_000,
  digest: 0xabc,
  identical: true,
  difference: '',
  ended: true,
};

describe('a run whose events were lived again', () => {
  it('came out the same: by so much, of which this is the digest', () => {
    const text = 'run-1: identical, 1,234 events of the journal lived again, after 45 before it\n';
    assert.equal(replayText('run-1', same), `${text}  5,000 effects, digest 00000abc`);
  });

  it('may be one that goes on', () => {
    assert.match(replayText('run-1', { ...same, ended: false }), /\n {2}it has not ended: that is as far as it is$/);
  });

  it('came out otherwise, from there on', () => {
    const text = replayText('run-1', { ...same, identical: false, difference: 'tick of then: now it has none' });
    assert.match(
      text,
      /^run-1: DIFFERENT, 1,234 events .*\n {2}the first that differs: tick of then: now it has none$/,
    );
  });
});
