import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { targetText } from './target.ts';

const stats = { requests: 2_000, inFlight: 0, inFlightMax: 64, perSecondMax: 1_200, statuses: {}, cutShort: 0 };

describe('what reached the target', () => {
  it('is told in a line', () => {
    assert.equal(
      targetText({ ...stats, statuses: { 200: 1_990, 500: 9 }, cutShort: 1 }),
      '2,000 requests, at most 64 in flight and 1,200 in a second; 200: 1,990; 500: 9; cut short: 1',
    );
    assert.equal(targetText({ ...stats, requests: 1 }), '1 request, at most 64 in flight and 1,200 in a second');
  });
});
