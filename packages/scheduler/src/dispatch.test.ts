import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from './limits.ts';
import { assignsIn, ModelCluster } from './testing/model-cluster.ts';

const lanes = (concurrency: number) => ({ processes: 1, threads: 1, concurrency });

function clusterOf(...nodes: [id: string, cores: number][]): ModelCluster {
  const cluster = new ModelCluster();
  for (const [id, cores] of nodes) cluster.join(id, { cores });
  return cluster;
}

/** Completes chunks in the order in which the node was given them. @returns the runs they were of */
function work(cluster: ModelCluster, nodeId: string, chunks: number, busyMs = 1): string[] {
  const runs: string[] = [];
  for (let i = 0; i < chunks; i++) {
    const [order] = cluster.held(nodeId);
    runs.push(order!.runId);
    cluster.step(cluster.write(order!, order!.to, { kind: 'completed' }, { busyMs }));
  }
  return runs;
}

describe('while lanes are free', () => {
  it('every node gets a chunk for each of them before any node gets one ahead', () => {
    const cluster = clusterOf(['a', 2], ['b', 2]);
    const nodes = assignsIn(cluster.submit('r1', { tasks: 100 })).map(({ nodeId }) => nodeId);
    assert.deepEqual(nodes.slice(0, 4).sort(), ['a', 'a', 'b', 'b']);
    assert.deepEqual(nodes.slice(4).sort(), ['a', 'a', 'b', 'b']);
  });

  it('the node that is least full for its size gets the first chunk', () => {
    const cluster = clusterOf(['small', 2], ['large', 8]);
    cluster.submit('r1', { tasks: 10 });
    cluster.complete(cluster.held('small')[0]!);
    for (const order of cluster.held('large').slice(0, 5)) cluster.complete(order);
    assert.deepEqual([cluster.held('small').length, cluster.held('large').length], [1, 3]);
    cluster.submit('r2', { tasks: 1 });
    assert.equal(cluster.holding('r2', 0).nodeId, 'large');
  });

  it('a shape wider than its node has all its lanes filled', () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('r1', { tasks: 12, shape: { processes: 2, threads: 2, concurrency: 3 } });
    assert.equal(cluster.held('a').length, 12);
  });
});

describe('once all lanes are taken', () => {
  it('a node gets as many chunks ahead as it has lanes, while the tasks have no known length', () => {
    const cluster = clusterOf(['a', 3]);
    cluster.submit('r1', { tasks: 100 });
    assert.equal(cluster.held('a').length, 6);
  });

  it('a node gets enough ahead for the way of an order where chunks are short, but never the whole run', () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('r1', { tasks: 100_000 });
    work(cluster, 'a', 1, 1);
    assert.equal(cluster.held('a').length, 1 + limits.prefetchTargetMs);
    work(cluster, 'a', 50, 0.001);
    assert.equal(cluster.held('a').length, 1 + limits.prefetchPerLaneMax);
  });

  it('the last tasks of a run wait for a free lane', () => {
    const cluster = clusterOf(['a', 2], ['b', 2]);
    cluster.submit('r1', { tasks: 8 });
    assert.equal(cluster.held().length, 4);
    cluster.complete(cluster.held('a')[0]!);
    assert.deepEqual([cluster.held('a').length, cluster.held('b').length], [2, 2]);
  });
});

describe('while several runs have work', () => {
  it('two of them take turns, chunk by chunk', () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('r1', { tasks: 100 });
    cluster.submit('r2', { tasks: 100 });
    work(cluster, 'a', 4, 100);
    assert.deepEqual(work(cluster, 'a', 6, 100), ['r1', 'r2', 'r1', 'r2', 'r1', 'r2']);
  });

  it('a run of one task is not kept out by a big one that keeps the node full', () => {
    const cluster = clusterOf(['a', 2]);
    cluster.submit('big', { tasks: 100_000 });
    work(cluster, 'a', 50, 0.001);
    const ahead = cluster.held('a').length;
    assert.ok(ahead > 100, 'the node is full of short chunks');
    cluster.submit('small', { tasks: 1 });
    assert.ok(work(cluster, 'a', 2 * ahead, 0.001).includes('small'));
  });

  it('a run of one core-wide task is not kept out by one of many light lanes that never frees a whole core', () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('light', { tasks: 100_000, shape: lanes(100) });
    work(cluster, 'a', 500, 20);
    cluster.submit('heavy', { tasks: 1 });
    const ahead = cluster.held('a').length;
    assert.ok(work(cluster, 'a', 2 * ahead, 20).includes('heavy'));
  });

  it("a run of light lanes has a core's worth of them in each turn", () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('heavy', { tasks: 1_000 });
    cluster.submit('light', { tasks: 100_000, shape: lanes(10) });
    work(cluster, 'a', 100, 20);
    const done = work(cluster, 'a', 1_100, 20);
    const heavy = done.filter((run) => run === 'heavy').length;
    assert.ok(heavy >= 90 && heavy <= 110, `${heavy} heavy chunks beside ${done.length - heavy} light ones`);
  });

  it('the one whose turn it is does not hold up others on nodes that it has no part in', () => {
    const cluster = clusterOf(['a', 1]);
    cluster.submit('elsewhere', { tasks: 10, workload: 'primes' });
    cluster.submit('here', { tasks: 1 });
    assert.equal(cluster.held('a', 'here').length, 1);
  });

  it('nodes of one machine together hold no more than it has cores, and as much ahead', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b']) cluster.join(id, { cores: 4, machine: 'm' });
    cluster.submit('r1', { tasks: 100 });
    cluster.submit('r2', { tasks: 100 });
    assert.deepEqual([cluster.held('a').length, cluster.held('b').length], [4, 4]);
  });
});
