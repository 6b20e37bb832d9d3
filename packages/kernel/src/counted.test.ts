import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { counted } from './counted.ts';

describe('what is counted', () => {
  it('is one node, and otherwise nodes, with thousands grouped', () => {
    assert.deepEqual(
      [0, 1, 2_000].map((count) => counted(count, 'node')),
      ['0 nodes', '1 node', '2,000 nodes'],
    );
  });

  it('may have words of its own for many', () => {
    assert.deepEqual(
      [1, 2].map((count) => counted(count, 'run goes on', 'runs go on')),
      ['1 run goes on', '2 runs go on'],
    );
  });
});
