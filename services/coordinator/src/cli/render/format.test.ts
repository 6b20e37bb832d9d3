import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytes, milliseconds, rate, times, whole } from './format.ts';

describe('numbers as people read them', () => {
  it('gives times in the unit that suits them', () => {
    const given = [0, 0.25, 1, 9.94, 10, 999.4, 9_999, 10_000, 119_000, 120_000, 5_400_000];
    const read = ['0 µs', '250 µs', '1.0 ms', '9.9 ms', '10 ms', '999 ms', '9999 ms', '10.0 s', '119.0 s', '2.0 min'];
    assert.deepEqual(given.map(milliseconds), [...read, '90.0 min']);
  });

  it('gives sizes in binary units', () => {
    const given = [0, 1023, 1024, 1536, 102_400, 1_048_576, 5 * 2 ** 30, 2 ** 50];
    const read = ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '100 KiB', '1.0 MiB', '5.0 GiB', '1024 TiB'];
    assert.deepEqual(given.map(bytes), read);
  });

  it('gives rates in three digits, also just below the next unit', () => {
    assert.deepEqual([99.9, 999_950].map(rate), ['99.9/s', '1.00M/s']);
    const given = [0.5, 42, 1234, 12_345, 1_234_567];
    assert.deepEqual(given.map(rate), ['0.50/s', '42.0/s', '1234/s', '12.3k/s', '1.23M/s']);
  });

  it('groups thousands', () => {
    assert.equal(whole(1_234_567.4), '1,234,567');
  });

  it('gives factors with two decimals', () => {
    assert.equal(times(3.456), '3.46×');
  });
});
