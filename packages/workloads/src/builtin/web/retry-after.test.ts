import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { retryAfterMs } from './retry-after.ts';

// A date that names no zone is not to be read in that of the machine.
process.env.TZ = 'America/New_York';
const now = Date.UTC(1994, 10, 6, 8, 49, 0);

describe('a Retry-After', () => {
  it('may be in seconds', () => {
    assert.equal(retryAfterMs('120', now), 120_000);
    assert.equal(retryAfterMs(' 0 ', now), 0);
  });

  it('may be a date, in each form that HTTP has had', () => {
    for (const date of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      assert.equal(retryAfterMs(date, now), 37_000, date);
    }
  });

  it('is now where its date is past', () => {
    assert.equal(retryAfterMs('Sun, 06 Nov 1994 08:48:00 GMT', now), 0);
  });

  it('is the first where there are several', () => {
    assert.equal(retryAfterMs(['3', '4'], now), 3000);
  });

  it('is none where it cannot be read', () => {
    for (const header of [
      '',
      '-1',
      '1.5',
      '5 s',
      'soon',
      '1994-11-06',
      'Sun, 99 Nov 1994 08:49:37 GMT',
      undefined,
      [],
    ]) {
      assert.equal(retryAfterMs(header, now), undefined, String(header));
    }
  });
});
