import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Effect } from './effects.ts';
import { assignsIn, ModelCluster } from './testing/model-cluster.ts';

/** Processes of each node that the effects open the run on. */
const widths = (effects: readonly Effect[]): Record<string, number> =>
  Object.fromEntries(assignsIn(effects).flatMap(({ nodeId, open }) => (open ? [[nodeId, open.processes]] : [])));

const ignored = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'ignored' ? [effect.reason] : []));

describe('when a run is submitted', () => {
  it('each node that offers its workload has a part in it, as wide as its cores', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 4 });
    cluster.join('b', { cores: 2 });
    cluster.join('c', { workloads: ['primes'] });
    assert.deepEqual(widths(cluster.submit('r1', { tasks: 100 })), { a: 4, b: 2 });
  });

  it('nodes on one machine share its cores, rounded down, and have one at least', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id, { cores: 8, machine: 'm' });
    cluster.join('alone', { cores: 8 });
    assert.deepEqual(widths(cluster.submit('r1', { tasks: 100 })), { a: 2, b: 2, c: 2, alone: 8 });
    for (const id of ['x', 'y']) cluster.join(id, { cores: 1, machine: 'n', workloads: ['primes'] });
    assert.deepEqual(widths(cluster.submit('r2', { tasks: 100, workload: 'primes' })), { x: 1, y: 1 });
  });

  it('a node with part of a core works one lane wide', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 0.25 });
    assert.deepEqual(widths(cluster.submit('r1', { tasks: 100 })), { a: 1 });
  });

  it('it has no more nodes than it asked for: the least busy ones', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('first', { tasks: 2 });
    cluster.join('b');
    cluster.join('c');
    const effects = cluster.submit('r1', { tasks: 100, nodes: 2 });
    assert.deepEqual(Object.keys(widths(effects)).sort(), ['b', 'c']);
  });
});

describe('when a node joins', () => {
  it('it takes part in the runs that are under way', () => {
    const cluster = new ModelCluster();
    cluster.submit('r1', { tasks: 100 });
    assert.deepEqual(widths(cluster.join('a')), { a: 2 });
    assert.deepEqual(widths(cluster.join('b', { workloads: ['primes'] })), {});
    assert.deepEqual(widths(cluster.join('c')), { c: 2 });
  });

  it('it shares the cores of its machine with nodes that are at work on the run', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 8, machine: 'm' });
    cluster.submit('r1', { tasks: 100 });
    assert.deepEqual(widths(cluster.join('b', { cores: 8, machine: 'm' })), { b: 4 });
  });

  it('it has no part in a run that has the nodes it asked for, nor in one that is being stopped', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 100, nodes: 1 });
    cluster.submit('r2', { tasks: 100 });
    cluster.stop('r2');
    assert.deepEqual(assignsIn(cluster.join('b')), []);
  });

  it('news of an incarnation that is not newer is ignored', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.join('a');
    for (const incarnation of [2, 1]) {
      const node = { id: 'a', incarnation, machine: 'a', cores: 2, workloads: ['sums'] };
      assert.deepEqual(ignored(cluster.step({ kind: 'nodeJoined', node })), ['stale-node']);
    }
    assert.deepEqual(ignored(cluster.step({ kind: 'nodeLost', nodeId: 'a', incarnation: 1, reason: '' })), [
      'stale-node',
    ]);
    assert.ok(cluster.isAlive('a'));
  });

  it('an offer without cores is refused', () => {
    const cluster = new ModelCluster();
    for (const cores of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const node = { id: 'a', incarnation: 1, machine: 'a', cores, workloads: ['sums'] };
      assert.deepEqual(ignored(cluster.step({ kind: 'nodeJoined', node })), ['malformed']);
    }
    assert.ok(!cluster.isAlive('a'));
  });
});

describe('when a node is lost', () => {
  it('another takes its place in a run that has room for one', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 100, nodes: 1 });
    cluster.join('b');
    cluster.join('c');
    assert.deepEqual(Object.keys(widths(cluster.lose('a'))), ['b']);
    assert.equal(cluster.held('c').length, 0);
  });

  it('its next incarnation is sent the run anew', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 100 });
    assert.deepEqual(widths(cluster.join('a', { cores: 3 })), { a: 3 });
    assert.ok(cluster.held('a').every(({ incarnation }) => incarnation === 2));
  });
});
