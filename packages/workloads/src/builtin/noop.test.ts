import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSerially } from '../serially.ts';
import { noop } from './noop.ts';

describe('a run of noop', () => {
  it('gives each index once, and counts them', async () => {
    const { results, combined } = await runSerially(noop, { count: 100 });
    assert.ok(results.every(({ task, value }) => task === value));
    assert.deepEqual(combined, { count: 100, sum: 4950 });
  });

  it('shows in its count and sum that a task is missing', () => {
    const results = [0, 1, 3].map((task) => ({ task, value: task }));
    assert.deepEqual(noop.combine(results, { count: 4 }), { count: 3, sum: 4 });
  });
});
