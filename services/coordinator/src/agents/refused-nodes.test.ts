import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../engine/limits.ts';
import { RefusedNodes } from './refused-nodes.ts';

let now = 0;
let refused: RefusedNodes;
beforeEach(() => {
  now = 1_000;
  refused = new RefusedNodes(() => now);
});

const refuse = (nodeId: string, code = 'NAME_TAKEN', address = '10.0.0.7:40000', message = 'no'): void =>
  refused.note({ nodeId, address, code, message });

describe('a node that was refused', () => {
  it('is told once, with how often and the last reason, though it comes from another port each time', () => {
    refuse('a');
    now = 2_000;
    refuse('a', 'NAME_TAKEN', '10.0.0.7:40001', 'still no');
    const only = {
      nodeId: 'a',
      address: '10.0.0.7:40001',
      code: 'NAME_TAKEN',
      message: 'still no',
      atMs: 2_000,
      times: 2,
    };
    assert.deepEqual(refused.list(), [only]);
  });

  it('comes before those that were refused earlier', () => {
    for (const id of ['a', 'b', 'a']) refuse(id);
    assert.deepEqual(
      refused.list().map(({ nodeId }) => nodeId),
      ['a', 'b'],
    );
  });

  it('is forgotten when it joins, and after a while', () => {
    refuse('a');
    refuse('b');
    refused.forget('a');
    assert.deepEqual(
      refused.list().map(({ nodeId }) => nodeId),
      ['b'],
    );
    now += limits.refusedNodeMsMax + 1;
    assert.deepEqual(refused.list(), []);
  });

  it('is forgotten for newer ones when there are many', () => {
    for (let i = 0; i <= limits.refusedNodesMax; i++) refuse(`n${i}`);
    const ids = refused.list().map(({ nodeId }) => nodeId);
    assert.deepEqual([ids.length, ids[0], ids.at(-1)], [limits.refusedNodesMax, `n${limits.refusedNodesMax}`, 'n1']);
  });

  it('is none where it only looks for the one that leads, or comes back after a silence', () => {
    refuse('a', 'NOT_LEADING');
    refuse('a', 'LEASE_EXPIRED');
    assert.deepEqual(refused.list(), []);
  });
});
