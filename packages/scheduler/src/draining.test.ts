import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import { assignsIn, ModelCluster } from './testing/model-cluster.ts';

function clusterOf(...nodeIds: string[]): ModelCluster {
  const cluster = new ModelCluster();
  for (const id of nodeIds) cluster.join(id);
  return cluster;
}

/** What concerns the node itself: all but what is sent to others. */
const news = (effects: readonly Effect[]): Effect[] =>
  effects.filter(({ kind }) => kind === 'drain' || kind === 'nodeDrained');

const ignored = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'ignored' ? [effect.reason] : []));

const nodesIn = (effects: readonly Effect[]): string[] => [...new Set(assignsIn(effects).map(({ nodeId }) => nodeId))];

const drainOf = (nodeId: string, handBack = false) => ({ kind: 'drain', nodeId, incarnation: 1, handBack });
const drainedOf = (nodeId: string) => ({ kind: 'nodeDrained', nodeId, incarnation: 1 });

describe('a node that is to drain', () => {
  it('has drained at once where it holds nothing', () => {
    const cluster = clusterOf('a');
    assert.deepEqual(cluster.drain('a'), [drainOf('a'), drainedOf('a')]);
  });

  it('is told so, and has drained once it holds nothing any more', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    assert.deepEqual(cluster.drain('a'), [drainOf('a')]);
    const orders = cluster.held('a');
    assert.ok(orders.length > 1);
    const told = orders.map((order) => news(cluster.complete(order)));
    assert.deepEqual(told, [...orders.slice(1).map(() => []), [drainedOf('a')]]);
  });

  it('is told again only where it is to do more: to let go of what is at work as well', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a');
    assert.deepEqual(ignored(cluster.drain('a')), ['already-draining']);
    assert.deepEqual(cluster.drain('a', true), [drainOf('a', true)]);
    for (const handBack of [true, false]) assert.deepEqual(ignored(cluster.drain('a', handBack)), ['already-draining']);
    for (const order of cluster.held('a')) cluster.letGo(order);
    for (const handBack of [true, false]) assert.deepEqual(ignored(cluster.drain('a', handBack)), ['already-draining']);
  });

  it('is one that is there, and of this incarnation: other news is stale', () => {
    const cluster = clusterOf('a');
    cluster.join('a');
    for (const [nodeId, incarnation] of [
      ['z', 1],
      ['a', 1],
      ['a', 3],
    ] as const) {
      assert.deepEqual(ignored(cluster.step({ kind: 'nodeDraining', nodeId, incarnation, handBack: true })), [
        'stale-node',
      ]);
      assert.deepEqual(ignored(cluster.step({ kind: 'nodeResumed', nodeId, incarnation })), ['stale-node']);
    }
  });

  it('has drained after the end of a run that ends with its last chunk', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1');
    cluster.drain('a');
    const kinds = cluster.complete(cluster.held('a')[0]!).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['commit', 'runEnded', 'nodeDrained']);
  });
});

describe('a node that leaves', () => {
  it('has lost nothing: what it may still have held is done elsewhere, as if handed back', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 4 });
    const left = cluster.held('a').map(({ from }) => from);
    assert.ok(left.length > 0);
    cluster.drain('a');
    const effects = cluster.lose('a', true);
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'retry' ? [effect.because] : [])),
      left.map(() => 'let-go'),
    );
    for (const order of cluster.held('b')) cluster.complete(order);
    const again = assignsIn(cluster.pass(limits.retryBackoffMsMin));
    assert.deepEqual(again.map(({ nodeId, from }) => [nodeId, from]).sort(), left.map((from) => ['b', from]).sort());
  });
});

describe('while a node drains', () => {
  it('it is handed nothing more and joins no run, while others go on', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 40 });
    cluster.drain('a');
    for (const order of cluster.held('a')) assert.deepEqual(nodesIn(cluster.complete(order)), []);
    cluster.submit('r2', { tasks: 4 });
    cluster.settle(100);
    const { nodes } = cluster.ledger.endOf('r2')!;
    assert.deepEqual(nodes, [{ nodeId: 'b', incarnation: 1 }]);
  });

  it('what it does still counts', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10 });
    cluster.drain('a');
    const [order] = cluster.held('a');
    cluster.progress(order!, 4);
    cluster.complete(order!);
    assert.equal(cluster.ledger.endOf('r1')?.state, 'succeeded');
  });

  it('what it hands back is done elsewhere, after a moment, and nothing is held against it', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 4 });
    cluster.drain('a', true);
    const back = cluster.held('a').map(({ from }) => from);
    for (const order of cluster.held('a')) assert.deepEqual(nodesIn(cluster.letGo(order)), []);
    for (const order of cluster.held('b')) cluster.complete(order);
    const again = assignsIn(cluster.pass(limits.retryBackoffMsMin));
    assert.deepEqual(again.map(({ nodeId, from }) => [nodeId, from]).sort(), back.map((from) => ['b', from]).sort());
  });

  it('a run that has no other node waits, and goes on when one joins', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a');
    for (const order of cluster.held('a')) cluster.complete(order);
    assert.equal(cluster.held().length, 0);
    assert.deepEqual(nodesIn(cluster.join('b')), ['b']);
    cluster.settle(200);
    assert.equal(cluster.ledger.endOf('r1')?.state, 'succeeded');
  });

  it('another takes its place in a run with a limit on nodes', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, nodes: 1 });
    cluster.join('b');
    cluster.join('c');
    assert.deepEqual(nodesIn(cluster.drain('a')), ['b']);
    assert.deepEqual(nodesIn(cluster.drain('b')), ['c']);
  });

  it('one that takes its place on the same machine has the cores to itself', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 4, machine: 'm' });
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a');
    const [first] = assignsIn(cluster.join('b', { cores: 4, machine: 'm' }));
    assert.equal(first?.open?.processes, 4);
  });

  it('suspects do not wait for it to let go of all else', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 100 });
    cluster.die(cluster.held('b')[0]!);
    cluster.drain('a');
    for (const order of cluster.held('b')) cluster.complete(order);
    assert.ok(cluster.held('a').length > 0, 'the node that would have been first to let go still holds chunks');
    const { suspects } = cluster.scheduler.runs.get('r1')!;
    assert.deepEqual([suspects.size, cluster.held('b').length], [0, 1]);
  });

  it('its speed and its lanes count no more for the size of chunks', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 1_000, policy: 'static', chunk: 0 });
    assert.deepEqual(new Set(cluster.held().map(({ from, to }) => to - from)), new Set([250]));
    for (const order of cluster.held()) cluster.progress(order, order.from + 1);
    cluster.drain('a');
    const { lanes, rateCount, serving } = cluster.scheduler.runs.get('r1')!;
    assert.deepEqual({ lanes, rateCount, serving }, { lanes: 2, rateCount: 1, serving: 1 });
    cluster.resume('a');
    assert.equal(cluster.scheduler.runs.get('r1')!.rateCount, 2);
  });

  it('it can be lost as any other, and comes back to serve', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 4 });
    cluster.drain('a');
    const held = cluster.held('a').map(({ from }) => from);
    for (const order of cluster.held('b')) cluster.complete(order);
    const again = assignsIn(cluster.lose('a')).map(({ nodeId, from }) => [nodeId, from]);
    assert.deepEqual(
      again,
      held.map((from) => ['b', from]),
    );
    cluster.submit('r2', { tasks: 100 });
    assert.deepEqual(nodesIn(cluster.join('a')), ['a']);
  });

  it('a new incarnation of it does not drain', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a', true);
    const effects = cluster.join('a');
    assert.deepEqual([nodesIn(effects), news(effects)], [['a'], []]);
  });
});

describe('when a node resumes', () => {
  it('it serves again, and is not sent the orders of its runs again', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a');
    for (const order of cluster.held('a')) cluster.complete(order);
    const orders = assignsIn(cluster.resume('a'));
    assert.ok(orders.length > 0);
    assert.ok(orders.every(({ open }) => open === undefined));
  });

  it('it joins the runs that were submitted meanwhile', () => {
    const cluster = clusterOf('a');
    cluster.drain('a');
    cluster.submit('r1', { tasks: 4 });
    assert.deepEqual(nodesIn(cluster.resume('a')), ['a']);
  });

  it('a run with a limit on nodes that has another in its place does without it, until that one goes', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, nodes: 1 });
    cluster.join('b');
    cluster.drain('a');
    for (const order of cluster.held('a')) cluster.complete(order);
    assert.deepEqual(nodesIn(cluster.resume('a')), []);
    assert.deepEqual(nodesIn(cluster.lose('b')), ['a']);
  });

  it('it can drain anew, and have drained anew', () => {
    const cluster = clusterOf('a');
    cluster.drain('a');
    cluster.resume('a');
    assert.deepEqual(cluster.drain('a', true), [drainOf('a', true), drainedOf('a')]);
  });

  it('though it does not drain, that is ignored', () => {
    const cluster = clusterOf('a');
    assert.deepEqual(ignored(cluster.resume('a')), ['not-draining']);
  });

  it('it is told of the end of runs that it was sent before it drained', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a', true);
    for (const order of cluster.held('a')) cluster.letGo(order);
    cluster.join('b');
    cluster.settle(200);
    assert.deepEqual(
      cluster.ledger.endOf('r1')?.nodes.map(({ nodeId }) => nodeId),
      ['a', 'b'],
    );
  });
});
