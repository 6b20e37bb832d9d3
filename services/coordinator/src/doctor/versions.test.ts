import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareVersions, isAtLeast } from './versions.ts';

describe('two versions', () => {
  it('are the same, differ by their patch, or by more', () => {
    assert.equal(compareVersions('1.2.3', '1.2.3'), 'same');
    assert.equal(compareVersions('1.2.3', '1.2.4'), 'patch');
    for (const other of ['1.3.3', '2.2.3', '0.2.3', 'dev', ''])
      assert.equal(compareVersions('1.2.3', other), 'other', other);
  });

  it('are compared by number, not by text', () => {
    for (const enough of ['2.9.0', '2.10.1', '3.0.0', 'v2.11', '2.9.10-beta'])
      assert.ok(isAtLeast(enough, '2.9'), enough);
    for (const old of ['2.8.4', '1.12.0', '', 'unknown']) assert.ok(!isAtLeast(old, '2.9'), old);
  });
});
