import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import { assignsIn, ModelCluster, publishedIn } from './testing/model-cluster.ts';

function clusterOf(...nodeIds: string[]): ModelCluster {
  const cluster = new ModelCluster();
  for (const id of nodeIds) cluster.join(id);
  return cluster;
}

const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);

const ignored = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'ignored' ? [effect.reason] : []));

/** The nodes that effects of that kind are for. */
const told = (effects: readonly Effect[], kind: 'pull' | 'stopPull'): string[] =>
  effects.flatMap((effect) => (effect.kind === kind ? [effect.nodeId] : []));

const ranges = (effects: readonly Effect[]): [number, number][] =>
  publishedIn(effects).map(({ from, to }) => [from, to]);

/** A chunk that took so long that no more of them are needed ahead. */
const SLOWLY = { busyMs: 100 };

describe('the nodes of a queued run', () => {
  it('are told to pull, with the shape that each has, before anything is published, and are assigned nothing', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 2 });
    cluster.join('b', { cores: 4 });
    cluster.join('c', { workloads: ['primes'] });
    const effects = cluster.submit('r1', { tasks: 2, queued: true });
    assert.deepEqual(kinds(effects), ['pull', 'pull', 'runStarted', 'publish', 'publish']);
    const pull = { kind: 'pull', incarnation: 1, runId: 'r1' };
    assert.deepEqual(effects.slice(0, 2), [
      { ...pull, nodeId: 'a', shape: { processes: 2, threads: 1, concurrency: 1 } },
      { ...pull, nodeId: 'b', shape: { processes: 4, threads: 1, concurrency: 1 } },
    ]);
  });

  it('are no more than it asked for; another takes the place of one that is lost or drains', () => {
    const cluster = clusterOf('a', 'b', 'c');
    assert.deepEqual(told(cluster.submit('r1', { tasks: 100, nodes: 1, queued: true }), 'pull'), ['a']);
    assert.deepEqual(told(cluster.lose('a'), 'pull'), ['b']);
    const effects = cluster.drain('b');
    assert.deepEqual([told(effects, 'stopPull'), told(effects, 'pull')], [['b'], ['c']]);
    assert.deepEqual(told(cluster.resume('b'), 'pull'), []);
  });

  it('share the cores of a machine', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b']) cluster.join(id, { machine: 'm', cores: 8 });
    const widths = cluster
      .submit('r1', { queued: true })
      .flatMap((effect) => (effect.kind === 'pull' ? [effect.shape.processes] : []));
    assert.deepEqual(widths, [4, 4]);
  });

  it('that come later, or come back, are told when they come, though all is in the queue', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { queued: true });
    assert.deepEqual(told(cluster.join('b'), 'pull'), ['b']);
    assert.deepEqual(told(cluster.join('a'), 'pull'), ['a']);
  });

  it('stop pulling while they drain, and pull again when they resume', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, queued: true });
    assert.deepEqual(kinds(cluster.drain('a')), ['drain', 'stopPull', 'nodeDrained']);
    assert.deepEqual(kinds(cluster.drain('a')), ['ignored']);
    const held = cluster.held();
    assert.deepEqual(publishedIn(cluster.complete(held[0]!, [], SLOWLY)), [], 'nothing is published for nobody');
    const effects = cluster.resume('a');
    assert.deepEqual(told(effects, 'pull'), ['a']);
    assert.equal(publishedIn(effects).length, 1);
  });

  it('are told of its end, if they were told to pull and are still there', () => {
    const cluster = clusterOf('a', 'b', 'c');
    cluster.submit('r1', { queued: true });
    cluster.lose('a');
    cluster.drain('b');
    cluster.complete(cluster.held()[0]!);
    assert.deepEqual(
      cluster.ledger.endOf('r1')?.nodes.map(({ nodeId }) => nodeId),
      ['b', 'c'],
    );
  });

  it('take their turns at other runs as if it were not there', () => {
    const cluster = clusterOf('a');
    cluster.submit('io', { tasks: 100, queued: true });
    assert.equal(assignsIn(cluster.submit('cpu', { tasks: 100 })).length, 4);
    assert.equal(assignsIn(cluster.complete(cluster.held('a', 'cpu')[0]!, [], SLOWLY)).length, 1);
    assert.equal(publishedIn(cluster.complete(cluster.held('a', 'io')[0]!, [], SLOWLY)).length, 1);
  });
});

describe('the queue of a run', () => {
  it('has a chunk for each lane of all its nodes, and as many ahead', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 2 });
    cluster.join('b', { cores: 100 });
    cluster.submit('r1', { tasks: 1_000, queued: true });
    assert.equal(cluster.held().length, 2 * (2 + 100));
  });

  it('grows and shrinks with its nodes', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, queued: true });
    assert.equal(publishedIn(cluster.join('b')).length, 4);
    assert.deepEqual(publishedIn(cluster.lose('b')), []);
    for (const [i, order] of cluster.held().entries()) {
      assert.equal(publishedIn(cluster.complete(order, [], SLOWLY)).length, i < 4 ? 0 : 1);
    }
  });

  it('is empty while there is nobody to pull', () => {
    const cluster = clusterOf();
    assert.deepEqual(cluster.submit('r1', { tasks: 100, queued: true }), []);
    assert.equal(publishedIn(cluster.join('a')).length, 4);
  });

  it('has more of short chunks', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 1 });
    cluster.submit('r1', { tasks: 100_000, queued: true });
    cluster.step(cluster.write(cluster.held()[0]!, 1, { kind: 'completed' }, { busyMs: 1 }));
    assert.equal(cluster.held().length, 1 + limits.prefetchTargetMs);
  });

  it('has chunks whose size follows the speed of a lane', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 1_000_000, policy: 'awf', chunk: 0, queued: true });
    assert.equal(cluster.held()[0]!.to, limits.chunkProbeTasksMax);
    const [first] = cluster.held();
    const effects = cluster.step(cluster.write(first!, first!.to, { kind: 'completed' }, { busyMs: 16 }));
    const [{ from, to } = { from: 0, to: 0 }] = publishedIn(effects);
    assert.equal(to - from, limits.chunkTargetMs);
  });

  it('has the last tasks at once: whoever is free takes them', () => {
    const cluster = clusterOf('a');
    assert.equal(publishedIn(cluster.submit('r1', { tasks: 4, queued: true })).length, 4);
  });

  it('keeps what nodes that are lost have pulled: it is delivered to others', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 2, queued: true });
    const [first, second] = cluster.held();
    assert.deepEqual(kinds(cluster.lose('a')), []);
    cluster.complete(first!);
    cluster.complete(second!);
    assert.equal(cluster.ledger.endOf('r1')?.state, 'succeeded');
  });
});

describe('a report on a queued attempt', () => {
  it('counts from whoever makes it: a node that is lost, that is to come, or that is not known', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 4, queued: true });
    for (const [i, from] of ['a', 'z'].entries()) {
      const report = cluster.write(cluster.held()[0]!, i + 1, { kind: 'completed' });
      const effects = cluster.step({ ...report, nodeId: from, incarnation: 77 });
      assert.deepEqual(effects.slice(0, 1), [{ kind: 'commit', runId: 'r1', from: i, to: i + 1 }]);
    }
  });

  it('goes on from what another node has said of it', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 10, chunk: 10, queued: true });
    const [order] = cluster.held();
    cluster.progress(order!, 4);
    cluster.redeliver(order!, order!.nodeId === 'a' ? 'b' : 'a');
    assert.deepEqual(kinds(cluster.complete(order!)), ['commit', 'runEnded']);
  });

  it('is ignored where it says again what was said before, or comes after the end', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 2, queued: true });
    const [order] = cluster.held();
    const piece = cluster.write(order!, 1, { kind: 'open' });
    cluster.step(piece);
    assert.deepEqual(ignored(cluster.step({ ...piece, nodeId: 'b' })), ['out-of-order']);
    const end = cluster.write(order!, 1, { kind: 'completed' });
    cluster.step(end);
    assert.deepEqual(ignored(cluster.step(end)), ['fenced-attempt']);
    cluster.complete(cluster.held()[0]!);
    assert.deepEqual(ignored(cluster.step(end)), ['fenced-attempt']);
  });

  it('is ignored where it names another run, or none', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { queued: true });
    cluster.submit('r2', { queued: true });
    cluster.submit('r3');
    const [queued, , pushed] = cluster.held();
    const { runId: _, ...unnamed } = cluster.write({ ...queued! }, 1, { kind: 'open' });
    for (const runId of ['r2', 'r3', 'r4']) {
      assert.deepEqual(ignored(cluster.step({ ...unnamed, runId })), ['fenced-attempt']);
    }
    assert.deepEqual(ignored(cluster.step(unnamed)), ['fenced-attempt']);
    const ofPushed = cluster.write({ ...pushed! }, 1, { kind: 'open' });
    assert.deepEqual(ignored(cluster.step({ ...ofPushed, runId: 'r3' })), ['fenced-attempt']);
  });

  it('that ends it as stopped has the rest published again, after a moment', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 4, chunk: 4, queued: true });
    const effects = cluster.step(cluster.write(cluster.held()[0]!, 1, { kind: 'stopped' }));
    assert.deepEqual(kinds(effects), ['commit', 'retry', 'wake']);
    assert.deepEqual(ranges(cluster.pass(limits.retryBackoffMsMin)), [[1, 4]]);
  });

  it('that gives it up names the node that it failed on', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { queued: true });
    const report = cluster.write(cluster.held()[0]!, 1, { kind: 'completed' }, { failed: [0] });
    const giveUp = cluster.step({ ...report, nodeId: 'z' }).find(({ kind }) => kind === 'giveUp');
    const at = { from: 0, to: 1, nodeId: 'z', attempt: 1 };
    assert.deepEqual(giveUp, { kind: 'giveUp', runId: 'r1', ...at, loss: undefined });
  });
});

describe('a queued chunk that kills', () => {
  it('is published in halves, then its task with nothing else of the run in the queue', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 10, chunk: 2, queued: true });
    assert.deepEqual(ranges(cluster.die(cluster.holding('r1', 0))), [
      [0, 1],
      [1, 2],
    ]);
    const others = cluster.held().filter(({ from }) => from !== 0);
    assert.deepEqual(ranges(cluster.die(cluster.holding('r1', 0))), [], 'others are in the queue');
    for (const order of others.slice(1)) assert.deepEqual(ranges(cluster.complete(order)), []);
    assert.deepEqual(ranges(cluster.complete(others[0]!)), [[0, 1]]);
    assert.equal(cluster.held()[0]!.alone, true);
    cluster.die(cluster.held()[0]!);
    assert.deepEqual(cluster.ledger.endOf('r1')?.counts.failed, 1);
  });

  it('keeps others out of the queue until it ends', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, queued: true });
    cluster.die(cluster.holding('r1', 0));
    for (const order of cluster.held()) cluster.complete(order, [], SLOWLY);
    assert.deepEqual(
      cluster.held().map(({ from, alone }) => [from, alone]),
      [[0, true]],
    );
    assert.deepEqual(publishedIn(cluster.join('b')), []);
    assert.equal(publishedIn(cluster.complete(cluster.held()[0]!, [], SLOWLY)).length, 8);
  });
});

describe('while a queued run is being stopped', () => {
  it('its queue is withdrawn with one order, nobody is told to cancel, and nothing more is published', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, queued: true });
    const attemptIds = cluster.held().map(({ attemptId }) => attemptId);
    assert.deepEqual(cluster.stop('r1'), [
      { kind: 'runStopping', runId: 'r1', reason: 'someone asked' },
      { kind: 'withdraw', runId: 'r1', attemptIds },
    ]);
    assert.deepEqual(kinds(cluster.join('b')), []);
  });

  it('it ends when all of that is answered for, and what was done by then counts', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, queued: true });
    cluster.stop('r1');
    const [first, ...rest] = cluster.held();
    cluster.complete(first!);
    for (const order of rest) {
      assert.equal(cluster.ledger.endOf('r1'), undefined);
      cluster.letGo(order);
    }
    const { state, counts } = cluster.ledger.endOf('r1')!;
    assert.deepEqual([state, counts.succeeded, counts.cancelled], ['cancelled', 1, 99]);
  });

  it('it ends at once where nothing is in its queue', () => {
    const cluster = clusterOf();
    cluster.submit('r1', { tasks: 3, queued: true });
    assert.deepEqual(kinds(cluster.stop('r1')), ['runStopping', 'runEnded']);
  });
});
