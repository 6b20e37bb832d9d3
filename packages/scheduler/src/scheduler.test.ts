import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantError } from '@regatta/kernel';
import type { Effect } from './effects.ts';
import type { AttemptEnd } from './events.ts';
import { limits } from './limits.ts';
import { assignsIn, ModelCluster, type Report } from './testing/model-cluster.ts';

const DAY_MS = 86_400_000;

function clusterOf(...nodeIds: string[]): ModelCluster {
  const cluster = new ModelCluster();
  for (const id of nodeIds) cluster.join(id);
  return cluster;
}

const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);

const ignored = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'ignored' ? [effect.reason] : []));

const ranges = (effects: readonly Effect[], kind: 'commit' | 'giveUp' | 'assign'): [number, number][] =>
  effects.flatMap((effect) => (effect.kind === kind ? [[effect.from, effect.to] as [number, number]] : []));

function endOf(cluster: ModelCluster, runId = 'r1') {
  const end = cluster.ledger.endOf(runId);
  assert.ok(end !== undefined, `${runId} has not ended`);
  const { state, reason, counts } = end;
  return { state, reason, succeeded: counts.succeeded, failed: counts.failed, cancelled: counts.cancelled };
}

describe('a run that goes well', () => {
  it('starts, commits what is reported and ends, in this order', () => {
    const cluster = clusterOf('a');
    assert.deepEqual(kinds(cluster.submit('r1', { tasks: 10, chunk: 10 })), ['runStarted', 'assign']);
    const [order] = cluster.held();
    assert.deepEqual(ranges(cluster.progress(order!, 4), 'commit'), [[0, 4]]);
    const last = cluster.complete(order!);
    assert.deepEqual(kinds(last), ['commit', 'runEnded']);
    assert.deepEqual(ranges(last, 'commit'), [[4, 10]]);
    assert.deepEqual(endOf(cluster), { state: 'succeeded', reason: '', succeeded: 10, failed: 0, cancelled: 0 });
  });

  it('ends only when its nodes have said that their chunks are over', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1');
    const [order] = cluster.held();
    assert.deepEqual(kinds(cluster.progress(order!, 1)), ['commit']);
    assert.deepEqual(kinds(cluster.complete(order!)), ['runEnded']);
  });

  it('tells the nodes that were sent something of it, and are still there, of its end', () => {
    const cluster = clusterOf('a', 'b', 'c');
    cluster.submit('r1', { tasks: 6 });
    for (const order of cluster.held('a')) cluster.complete(order);
    cluster.lose('a');
    cluster.settle(10);
    assert.deepEqual(cluster.ledger.endOf('r1')?.nodes, [
      { nodeId: 'b', incarnation: 1 },
      { nodeId: 'c', incarnation: 1 },
    ]);
  });
});

describe('a task that fails', () => {
  it('is tried again alone of its chunk, while the others are committed', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10, retries: 1 });
    const effects = cluster.complete(cluster.held()[0]!, [3, 4, 8]);
    assert.deepEqual(ranges(effects, 'commit'), [
      [0, 3],
      [5, 8],
      [9, 10],
    ]);
    assert.deepEqual(
      assignsIn(cluster.pass(limits.retryBackoffMsMin))
        .map(({ from, to, attempt }) => [from, to, attempt])
        .sort(),
      [
        [3, 5, 2],
        [8, 9, 2],
      ],
    );
  });

  it('waits before each try, up to twice as long as before', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { retries: 3 });
    for (const longestMs of [50, 100, 200]) {
      cluster.complete(cluster.held()[0]!, [0]);
      const waitMs = cluster.wakeAt - cluster.now;
      assert.ok(waitMs >= longestMs / 2 && waitMs <= longestMs, `${waitMs} ms of ${longestMs}`);
      assert.deepEqual(assignsIn(cluster.pass(waitMs - 1)), []);
      assert.equal(assignsIn(cluster.pass(1)).length, 1);
    }
    cluster.complete(cluster.held()[0]!);
    assert.equal(endOf(cluster).state, 'succeeded');
  });

  it('is left alone for as long as it asks for, within limits', () => {
    const cluster = clusterOf('a');
    for (const [asked, given] of [
      [0, limits.retryBackoffMsMin],
      [10, limits.retryBackoffMsMin],
      [2_000, 2_000],
      [DAY_MS, limits.retryAfterMsMax],
    ] as const) {
      cluster.submit(`r${asked}`, { retries: 1 });
      cluster.complete(cluster.held()[0]!, [0], { retryAfterMs: [asked] });
      const waitMs = cluster.wakeAt - cluster.now;
      assert.ok(asked > limits.retryBackoffMsMin ? waitMs === given : waitMs <= given, `${waitMs} ms for ${asked}`);
      assert.deepEqual(assignsIn(cluster.pass(waitMs - 1)), []);
      assert.equal(assignsIn(cluster.pass(1)).length, 1);
      cluster.complete(cluster.held()[0]!);
    }
  });

  it('does not hold up its neighbours that asked for less', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10, retries: 1 });
    cluster.complete(cluster.held()[0]!, [3, 4, 5, 6], { retryAfterMs: [1_000, 1_200, 9_000, 0] });
    assert.deepEqual(ranges(cluster.pass(limits.retryBackoffMsMin), 'assign'), [[6, 7]]);
    assert.deepEqual(ranges(cluster.pass(1_200 - limits.retryBackoffMsMin), 'assign'), [[3, 5]]);
    for (const order of cluster.held()) cluster.complete(order);
    assert.deepEqual(ranges(cluster.pass(9_000 - 1_200), 'assign'), [[5, 6]]);
  });

  it('is given up after its last retry, and the run goes on', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 2, chunk: 2, retries: 2 });
    cluster.complete(cluster.held()[0]!, [1]);
    for (const nth of [2, 3]) {
      cluster.pass(limits.retryBackoffMsMax);
      const [order] = cluster.held();
      assert.equal(order!.attempt, nth);
      cluster.complete(order!, [1]);
    }
    assert.deepEqual(endOf(cluster), { state: 'failed', reason: '', succeeded: 1, failed: 1, cancelled: 0 });
  });

  it('is given up at once in a run without retries, next to neighbours that succeed', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10 });
    const effects = cluster.complete(cluster.held()[0]!, [2, 3, 7]);
    assert.deepEqual(ranges(effects, 'commit'), [[0, 10]]);
    assert.deepEqual(ranges(effects, 'giveUp'), [
      [2, 4],
      [7, 8],
    ]);
    assert.deepEqual(endOf(cluster), { state: 'failed', reason: '', succeeded: 7, failed: 3, cancelled: 0 });
  });
});

describe('a task that kills its host process', () => {
  it('ends alone as failed, its neighbours succeed, and it takes O(log n) attempts to find', () => {
    for (const tasks of [1, 2, 16, 100, 1000]) {
      for (const poison of [0, Math.floor(tasks / 3), tasks - 1]) {
        const cluster = clusterOf('a');
        cluster.submit('r1', { tasks, chunk: tasks, shape: { processes: 1, threads: 1, concurrency: 1 } });
        // The whole; two halves a level; once more alone.
        cluster.workWith(new Set([poison]), 2 + 2 * Math.ceil(Math.log2(tasks)));
        assert.deepEqual(endOf(cluster), {
          state: 'failed',
          reason: '',
          succeeded: tasks - 1,
          failed: 1,
          cancelled: 0,
        });
        const told: Effect[] = cluster.told.flatMap((effects) => JSON.parse(effects));
        assert.deepEqual(ranges(told, 'giveUp'), [[poison, poison + 1]]);
      }
    }
  });

  it('does not have others blamed that were at work in the same process', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 8, shape: { processes: 1, threads: 4, concurrency: 1 } });
    cluster.workWith(new Set([2]), 40);
    assert.deepEqual(endOf(cluster), { state: 'failed', reason: '', succeeded: 7, failed: 1, cancelled: 0 });
  });

  it('is tried with no other chunk of its run on the node, while other nodes go on', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 100 });
    cluster.die(cluster.holding('r1', 0));
    for (const order of cluster.held('a')) {
      assert.notEqual(order.from, 0, 'it waits until the node has let go of all else');
      cluster.complete(order);
    }
    assert.equal(cluster.held('a')[0]!.from, 0);
    for (const order of cluster.held('b')) cluster.complete(order);
    assert.equal(cluster.held('a').length, 1);
    assert.ok(cluster.held('b').length > 1);
    cluster.complete(cluster.held('a')[0]!);
    assert.ok(cluster.held('a').length > 1);
  });

  it('is told apart at once where its node knows it, and has the retries of a failed task', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10, retries: 1 });
    assert.deepEqual(ranges(cluster.die(cluster.held()[0]!, 6), 'assign'), [
      [0, 6],
      [7, 10],
    ]);
    for (const order of cluster.held()) cluster.complete(order);
    assert.deepEqual(ranges(cluster.pass(limits.retryBackoffMsMin), 'assign'), [[6, 7]]);
    assert.deepEqual(ranges(cluster.die(cluster.holding('r1', 6), 6), 'giveUp'), [[6, 7]]);
  });

  it('says in the effect that gives it up what killed it, where and at which attempt', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1');
    const giveUp = cluster.die(cluster.held()[0]!, 0).find(({ kind }) => kind === 'giveUp');
    const loss = { code: 'HOST_DIED', message: 'killed by SIGKILL', culprit: 0 };
    assert.deepEqual(giveUp, { kind: 'giveUp', runId: 'r1', from: 0, to: 1, nodeId: 'a', attempt: 1, loss });
  });
});

describe('when a node is lost', () => {
  it('what it left undone is handed out elsewhere in the same step; what it did counts', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 10, chunk: 10 });
    cluster.join('b');
    cluster.progress(cluster.held('a')[0]!, 4);
    const [assigned] = assignsIn(cluster.lose('a'));
    assert.deepEqual([assigned!.nodeId, assigned!.from, assigned!.to, assigned!.attempt], ['b', 4, 10, 2]);
  });

  it('its next incarnation has none of its attempts (I5)', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 4 });
    const before = cluster.held('a').map(({ attemptId }) => attemptId);
    const late = cluster.write(cluster.held('a')[0]!, 1, { kind: 'completed' });
    const after = assignsIn(cluster.join('a')).map(({ attemptId }) => attemptId);
    assert.equal(after.length, before.length);
    assert.ok(after.every((attemptId) => !before.includes(attemptId)));
    assert.deepEqual(ignored(cluster.step(late)), ['stale-node']);
  });

  it('again and again with the same chunk, the task that does it is given up, and its neighbours succeed', () => {
    const tasks = 8;
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks, chunk: tasks, shape: { processes: 1, threads: 1, concurrency: 1 } });
    let losses = 0;
    while (cluster.scheduler.runs.size > 0) {
      const [order] = cluster.held();
      if (order!.from > 5 || order!.to <= 5) cluster.complete(order!);
      else cluster.join('a', { cores: ++losses });
    }
    assert.deepEqual(endOf(cluster), { state: 'failed', reason: '', succeeded: 7, failed: 1, cancelled: 0 });
    assert.equal(losses, limits.nodeLossesPerChunkMax + 1 + Math.log2(tasks));
  });
});

describe('when a node lets go of a chunk unasked', () => {
  const ends: { name: string; end: AttemptEnd }[] = [
    { name: 'stops it', end: { kind: 'stopped' } },
    { name: 'calls it completed with tasks left out', end: { kind: 'completed' } },
  ];
  for (const { name, end } of ends) {
    it(`it is not handed the chunk again at once: ${name}`, () => {
      const cluster = clusterOf('a');
      cluster.submit('r1', { tasks: 4, chunk: 4 });
      const [order] = cluster.held();
      const effects = cluster.step(cluster.write(order!, 2, end));
      assert.deepEqual(ranges(effects, 'commit'), [[0, 2]]);
      assert.deepEqual(assignsIn(effects), []);
      assert.deepEqual(ranges(cluster.pass(limits.retryBackoffMsMin), 'assign'), [[2, 4]]);
    });
  }
});

describe('news that comes late, twice or garbled', () => {
  function clusterAtWork(): { cluster: ModelCluster; report: Report } {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 20, chunk: 10 });
    const { nodeId, incarnation, attemptId } = cluster.held()[0]!;
    const rest = { failed: [], busyMs: 1, bytes: 1, end: { kind: 'open' as const } };
    return { cluster, report: { kind: 'attemptReported', nodeId, incarnation, attemptId, from: 0, to: 5, ...rest } };
  }

  const cases: { name: string; reason: string; change: Partial<Report> }[] = [
    { name: 'from a node that nobody knows', reason: 'stale-node', change: { nodeId: 'z' } },
    { name: 'from an old incarnation', reason: 'stale-node', change: { incarnation: 0 } },
    { name: 'from an incarnation to come', reason: 'stale-node', change: { incarnation: 2 } },
    { name: 'on an attempt that was never made', reason: 'fenced-attempt', change: { attemptId: 99 } },
    { name: 'with a gap before it', reason: 'out-of-order', change: { from: 2 } },
    { name: 'on tasks before the chunk', reason: 'malformed', change: { from: -1 } },
    { name: 'on tasks after the chunk', reason: 'malformed', change: { to: 11 } },
    { name: 'on tasks backwards', reason: 'malformed', change: { from: 5, to: 0 } },
    { name: 'with a range that is no number', reason: 'malformed', change: { to: Number.NaN } },
    { name: 'with part of a task', reason: 'malformed', change: { to: 2.5 } },
    { name: 'with failures outside of it', reason: 'malformed', change: { failed: [5] } },
    { name: 'with failures out of order', reason: 'malformed', change: { failed: [3, 1] } },
    { name: 'with a failure told twice', reason: 'malformed', change: { failed: [3, 3] } },
    { name: 'with part of a failure', reason: 'malformed', change: { failed: [1.5] } },
    { name: 'with a wait for no failure', reason: 'malformed', change: { retryAfterMs: [5] } },
    { name: 'with a failure without a wait', reason: 'malformed', change: { failed: [1, 2], retryAfterMs: [5] } },
    { name: 'with a wait that is no number', reason: 'malformed', change: { failed: [1], retryAfterMs: [Number.NaN] } },
    { name: 'with a wait in the past', reason: 'malformed', change: { failed: [1], retryAfterMs: [-1] } },
    { name: 'with an endless wait', reason: 'malformed', change: { failed: [1], retryAfterMs: [1 / 0] } },
    { name: 'with bytes that are no number', reason: 'malformed', change: { bytes: Number.NaN } },
    { name: 'with fewer bytes than none', reason: 'malformed', change: { bytes: -1 } },
    { name: 'with endless work', reason: 'malformed', change: { busyMs: Number.POSITIVE_INFINITY } },
  ];
  for (const { name, reason, change } of cases) {
    it(`is ignored, and counted as ${reason}, and changes nothing: ${name}`, () => {
      const { cluster, report } = clusterAtWork();
      assert.deepEqual(ignored(cluster.step({ ...report, ...change })), [reason]);
      assert.deepEqual(ranges(cluster.step(report), 'commit'), [[0, 5]]);
    });
  }

  it('is ignored the second time', () => {
    const { cluster, report } = clusterAtWork();
    cluster.step(report);
    assert.deepEqual(ignored(cluster.step(report)), ['out-of-order']);
    const last = { ...report, from: 5, to: 10, end: { kind: 'completed' as const } };
    cluster.step(last);
    assert.deepEqual(ignored(cluster.step(last)), ['fenced-attempt']);
  });

  it('still ends the attempt where it says so, as nobody else will: what was not counted is tried again (I7)', () => {
    for (const change of [{ from: 2 }, { to: 11 }]) {
      const { cluster, report } = clusterAtWork();
      const effects = cluster.step({ ...report, ...change, end: { kind: 'completed' } });
      assert.equal(ignored(effects).length, 1);
      assert.deepEqual(ignored(cluster.step(report)), ['fenced-attempt']);
      assert.deepEqual(ranges(cluster.pass(limits.retryBackoffMsMin), 'assign'), [[0, 10]]);
    }
  });

  it('about a run that has ended, or never was, is ignored', () => {
    assert.deepEqual(ignored(clusterOf().stop('r1')), ['unknown-run']);
  });

  it('does not make a lane infinitely fast', () => {
    const { cluster, report } = clusterAtWork();
    cluster.step({ ...report, busyMs: Number.MIN_VALUE });
    assert.ok(Number.isFinite(cluster.scheduler.runs.get('r1')!.rateSum));
  });
});

describe('while a run is being stopped', () => {
  it('nodes are told to let go of each chunk, and nothing of it is handed out', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 100 });
    const held = cluster.held();
    const effects = cluster.stop('r1');
    assert.deepEqual(kinds(effects), ['runStopping', ...held.map(() => 'cancel')]);
    assert.deepEqual(assignsIn(cluster.join('c')), []);
    assert.deepEqual(ignored(cluster.stop('r1')), ['already-stopping']);
  });

  it('it ends when the last node has let go, and what was done by then counts', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.stop('r1');
    const [first, second, ...rest] = cluster.held();
    cluster.complete(first!);
    cluster.complete(second!, [second!.from]);
    for (const order of rest) {
      assert.equal(cluster.ledger.endOf('r1'), undefined);
      cluster.letGo(order);
    }
    const reason = 'someone asked';
    assert.deepEqual(endOf(cluster), { state: 'cancelled', reason, succeeded: 1, failed: 1, cancelled: 98 });
  });

  it('it ends as succeeded where all its tasks were done by then', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 2 });
    cluster.stop('r1');
    for (const order of cluster.held()) cluster.complete(order);
    assert.equal(endOf(cluster).state, 'succeeded');
  });

  it('failed tasks and lost chunks are not tried again', () => {
    const cluster = clusterOf('a', 'b');
    cluster.submit('r1', { tasks: 4, retries: 5 });
    cluster.stop('r1');
    const [first, ...rest] = cluster.held('a');
    assert.deepEqual(kinds(cluster.complete(first!, [first!.from])), ['commit', 'giveUp']);
    for (const order of rest) assert.deepEqual(kinds(cluster.die(order)), []);
    assert.deepEqual(kinds(cluster.lose('b')), ['runEnded']);
    assert.equal(endOf(cluster).cancelled, 3);
  });

  it('it ends at once where no node holds anything of it', () => {
    const cluster = clusterOf();
    cluster.submit('r1', { tasks: 3 });
    assert.deepEqual(kinds(cluster.stop('r1')), ['runStopping', 'runEnded']);
    assert.equal(endOf(cluster).state, 'cancelled');
  });
});

describe('a run with a deadline', () => {
  it('is stopped when it passes', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100, deadlineMs: 500 });
    assert.equal(cluster.wakeAt, 500);
    assert.deepEqual(cluster.pass(499), []);
    assert.ok(kinds(cluster.pass(1)).includes('cancel'));
    cluster.settle(10);
    assert.deepEqual(endOf(cluster).reason, 'deadline of 500 ms passed');
  });

  it('is not started in the step in which its deadline has passed', () => {
    const cluster = clusterOf('a');
    for (const runId of ['r1', 'r2']) cluster.submit(runId, { tasks: 1, deadlineMs: 500, retries: 1 });
    for (const order of cluster.held()) cluster.complete(order, [0]);
    cluster.now = 500;
    assert.deepEqual(kinds(cluster.step({ kind: 'tick' })), ['runStopping', 'runEnded', 'runStopping', 'runEnded']);
  });

  it('does not keep the scheduler awake once it has ended, longer than its own alarm', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { deadlineMs: DAY_MS });
    cluster.complete(cluster.held()[0]!);
    assert.deepEqual(cluster.pass(DAY_MS), []);
    assert.equal(cluster.wakeAt, Number.POSITIVE_INFINITY);
  });
});

describe('a coordinator that takes over the books of another', () => {
  it('gives attempts ids that the other cannot have given, however often they change', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 100 });
    for (const term of [1, 2, 3]) {
      cluster.step({ kind: 'recovered' });
      assert.equal(assignsIn(cluster.complete(cluster.held()[0]!))[0]!.attemptId, term * 2 ** 32);
    }
    cluster.step({ kind: 'recovered' });
    cluster.step({ kind: 'recovered' });
    assert.equal(assignsIn(cluster.complete(cluster.held()[0]!))[0]!.attemptId, 5 * 2 ** 32);
  });

  it('does not run out of ids unnoticed', () => {
    const cluster = clusterOf('a');
    cluster.scheduler.nextAttemptId = Number.MAX_SAFE_INTEGER - 2 ** 32;
    assert.throws(() => cluster.step({ kind: 'recovered' }), InvariantError);
  });

  it('goes on with what the nodes hold', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { tasks: 3 });
    cluster.step({ kind: 'recovered' });
    for (const order of cluster.held()) cluster.complete(order);
    cluster.settle(10);
    assert.equal(endOf(cluster).state, 'succeeded');
  });
});

describe('the scheduler', () => {
  it('asks to be woken for the earliest of what is due, and again where the tick came too early', () => {
    const cluster = clusterOf('a');
    cluster.submit('r1', { deadlineMs: 500 });
    cluster.submit('r2', { deadlineMs: 300 });
    cluster.submit('r3', { deadlineMs: 400 });
    assert.equal(cluster.wakeAt, 300);
    assert.deepEqual(cluster.step({ kind: 'tick' }), [{ kind: 'wake', at: 300 }]);
    cluster.pass(300);
    assert.equal(cluster.wakeAt, 400);
  });

  it('takes a plan outside its limits, or twice, as a bug in its caller', () => {
    const plans = [
      { tasks: 0 },
      { tasks: 1.5 },
      { tasks: limits.tasksPerRunMax + 1 },
      { retries: limits.retriesPerTaskMax + 1 },
      { retries: -1 },
      { chunk: 2.5 },
      { nodes: -1 },
      { deadlineMs: Number.NaN },
    ];
    for (const plan of plans) assert.throws(() => clusterOf().submit('r1', plan), InvariantError, JSON.stringify(plan));
    const cluster = clusterOf();
    cluster.submit('r1');
    assert.throws(() => cluster.submit('r1'), /submitted twice/);
  });
});
