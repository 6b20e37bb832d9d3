import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ago } from './ago.ts';

describe('how long ago something was', () => {
  it('is told in seconds, minutes, hours or days, whichever is not too fine', () => {
    const told = [0, 12_400, 119_000, 120_000, 3_600_000, 7_200_000, 90_000_000, 172_800_000].map((ms) => ago(0, ms));
    assert.deepEqual(
      told,
      ['0 s', '12 s', '119 s', '2 min', '60 min', '2 h', '25 h', '2 days'].map((text) => `${text} ago`),
    );
  });

  it('is never in the future', () => {
    assert.equal(ago(1_500, 0), '0 s ago');
  });
});
