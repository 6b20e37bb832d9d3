import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Effect } from './effects.ts';
import type { RunPlan } from './events.ts';
import { explain } from './explain.ts';
import { limits } from './limits.ts';
import { Scheduler } from './scheduler.ts';
import { anyCommand, type Command, Drill } from './testing/drill.ts';
import { ModelCluster, type Order, replay } from './testing/model-cluster.ts';

const LONG_MS = 10 * limits.copyAfterMsMin;
const plan = { tasks: 4, chunk: 2, speculate: true } satisfies Partial<RunPlan>;

/** One chunk is done, at 1 ms a task; of the other nothing is heard for long. */
function withStraggler(more: Partial<RunPlan> = {}): { cluster: ModelCluster; straggler: Order } {
  const cluster = new ModelCluster();
  for (const id of ['a', 'b']) cluster.join(id, { cores: 1 });
  cluster.submit('r1', { ...plan, ...more });
  const [first, straggler] = cluster.held();
  cluster.complete(first!);
  return { cluster, straggler: straggler! };
}

const copiesIn = (effects: readonly Effect[]) => effects.filter((effect) => effect.kind === 'copy');
const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);

describe('a chunk that takes long, once all of its run is handed out', () => {
  it('is given to an idle lane elsewhere as well', () => {
    const { cluster, straggler } = withStraggler();
    const [copy, ...more] = copiesIn(cluster.pass(LONG_MS));
    assert.deepEqual([copy?.attemptId, copy?.from, copy?.to], [straggler.attemptId, 2, 4]);
    assert.notEqual(copy?.nodeId, straggler.nodeId);
    assert.deepEqual(more, [], 'once');
  });

  it('is said to be at two nodes, to whoever asks why the run is not done', () => {
    const { cluster } = withStraggler();
    cluster.pass(LONG_MS);
    const [reason] = explain(cluster.scheduler, 'r1', cluster.now);
    assert.match(reason!.text, /2 tasks in 1 chunk are being worked on, 1 of them at two nodes at once/);
  });

  it('is given without what has been told of it', () => {
    const { cluster, straggler } = withStraggler();
    cluster.progress(straggler, 3);
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    assert.deepEqual([copy?.from, copy?.to], [3, 4]);
  });

  it('is not while the run does not allow it', () => {
    assert.deepEqual(copiesIn(withStraggler({ speculate: false }).cluster.pass(LONG_MS)), []);
  });

  it('is not before it has taken twice as long as was to be expected, and a second at least', () => {
    const { cluster } = withStraggler();
    assert.deepEqual(copiesIn(cluster.pass(limits.copyAfterMsMin - 1)), []);
    assert.equal(copiesIn(cluster.pass(limits.copyLookMs + 1)).length, 1);
    const slow = new ModelCluster();
    for (const id of ['a', 'b']) slow.join(id, { cores: 1 });
    slow.submit('r1', plan);
    slow.pass(4_000);
    slow.complete(slow.held()[0]!, [], { busyMs: 4_000 });
    // A chunk is to take 4 s.
    assert.deepEqual(copiesIn(slow.pass(3_900)), []);
    assert.equal(copiesIn(slow.pass(1_000)).length, 1);
  });

  it('is not while nobody knows how long chunks of the run take', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b', 'c']) cluster.join(id, { cores: 1 });
    cluster.submit('r1', plan);
    assert.deepEqual(copiesIn(cluster.pass(LONG_MS)), []);
  });

  it('is not while there is no lane without work, or only one on a node that drains', () => {
    const { cluster, straggler } = withStraggler();
    const idle = straggler.nodeId === 'a' ? 'b' : 'a';
    cluster.drain(idle);
    assert.deepEqual(copiesIn(cluster.pass(LONG_MS)), []);
    cluster.resume(idle);
    cluster.submit('r2', { tasks: 100 });
    assert.deepEqual(copiesIn(cluster.pass(LONG_MS)), []);
    cluster.stop('r2');
    for (const order of cluster.held(undefined, 'r2')) cluster.letGo(order);
    assert.equal(copiesIn(cluster.pass(LONG_MS)).length, 1);
  });

  it('is one of few: a tenth of the lanes at a time', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 20 });
    cluster.join('b', { cores: 20 });
    cluster.submit('r1', { tasks: 40, chunk: 1, speculate: true });
    for (const order of cluster.held('a')) cluster.complete(order);
    assert.equal(copiesIn(cluster.pass(limits.copyAfterMsMin + limits.copyLookMs)).length, 4);
  });

  it('does not keep the scheduler awake for longer and longer runs: looks become rarer', () => {
    const { cluster } = withStraggler();
    const before = cluster.story.length;
    cluster.pass(3_600_000);
    const looks = cluster.story.length - before;
    assert.ok(looks > 20 && looks < 200, `${looks} looks in an hour`);
  });
});

describe('a chunk that two nodes have', () => {
  it('ends with the copy where that is first, and the other is told to stop', () => {
    const { cluster, straggler } = withStraggler();
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    const effects = cluster.complete(cluster.held(copy!.nodeId)[0]!);
    assert.deepEqual(kinds(effects), ['commit', 'cancel', 'runEnded']);
    const { nodeId, incarnation, attemptId } = straggler;
    assert.deepEqual(effects[1], { kind: 'cancel', nodeId, incarnation, attemptId, runId: 'r1', outrun: 'first' });
    assert.deepEqual(kinds(cluster.letGo(straggler)), ['ignored'], 'what it still says is fenced');
  });

  it('ends with the first node where that is first', () => {
    const { cluster, straggler } = withStraggler();
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    const [, cancel] = cluster.complete(straggler);
    assert.ok(cancel?.kind === 'cancel' && cancel.nodeId === copy!.nodeId && cancel.outrun === 'copy');
  });

  it('has each task once, of whoever tells of it first', () => {
    const { cluster, straggler } = withStraggler({ tasks: 20, chunk: 10 });
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    const other = cluster.held(copy!.nodeId)[0]!;
    cluster.progress(other, 14);
    cluster.progress(straggler, 12);
    cluster.progress(straggler, 17);
    const effects = cluster.complete(other);
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'commit' ? [[effect.from, effect.to]] : [])),
      [[17, 20]],
    );
    assert.equal(cluster.ledger.endOf('r1')?.counts.succeeded, 20);
  });

  it('goes on where one of them is lost, dies or lets go, with nothing tried again', () => {
    const ends: ((cluster: ModelCluster, order: Order) => Effect[])[] = [
      (cluster, { nodeId }) => cluster.lose(nodeId),
      (cluster, order) => cluster.die(order),
      (cluster, order) => cluster.letGo(order),
      (cluster, { nodeId }) => cluster.join(nodeId, { cores: 1 }),
    ];
    for (const end of ends) {
      for (const which of ['first', 'copy']) {
        const { cluster, straggler } = withStraggler();
        const [copy] = copiesIn(cluster.pass(LONG_MS));
        const gone = which === 'first' ? straggler : cluster.held(copy!.nodeId)[0]!;
        assert.ok(!kinds(end(cluster, gone)).includes('retry'));
        cluster.complete(cluster.held()[0]!);
        assert.equal(cluster.ledger.endOf('r1')?.state, 'succeeded');
      }
    }
  });

  it('is given to another node where the second is lost; where the third of these is lost, it is tried anew', () => {
    for (const end of ['lose', 'die', 'letGo'] as const) {
      const { cluster, straggler } = withStraggler();
      for (let nth = 1; nth <= limits.copiesPerAttemptMax; nth++) {
        const [copy] = copiesIn(cluster.pass(LONG_MS));
        assert.ok(copy !== undefined && copy.nodeId !== straggler.nodeId, `copy ${nth}`);
        const order = cluster.held(copy.nodeId)[0]!;
        const effects = end === 'lose' ? cluster.join(copy.nodeId, { cores: 1 }) : cluster[end](order);
        const fenced = effects.flatMap((effect) => (effect.kind === 'cancel' ? [effect.outrun] : []));
        assert.deepEqual(fenced, nth < limits.copiesPerAttemptMax ? [] : ['neither']);
      }
      cluster.pass(LONG_MS);
      cluster.settle(20);
      assert.equal(cluster.ledger.endOf('r1')?.state, 'succeeded');
    }
  });

  it('does not keep others from being copied where its copy takes long itself', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b', 'c', 'd']) cluster.join(id, { cores: 1 });
    cluster.submit('r1', { tasks: 8, chunk: 2, speculate: true });
    for (const order of cluster.held('c')) cluster.complete(order);
    const [first] = copiesIn(cluster.pass(2_000));
    assert.equal(first?.nodeId, 'c');
    for (const order of cluster.held('d')) cluster.complete(order);
    // One copy at a time is what four lanes may have, and the first gets nowhere.
    assert.deepEqual(
      copiesIn(cluster.pass(LONG_MS)).map(({ nodeId }) => nodeId),
      ['d'],
    );
  });

  it('is given to nobody for a while after a takeover, as nodes come back first, and the outage does not count', () => {
    const { cluster } = withStraggler();
    cluster.now += LONG_MS;
    cluster.step({ kind: 'recovered' });
    assert.deepEqual(copiesIn(cluster.pass(limits.copyAfterTakeoverMs - 1)), []);
    assert.equal(copiesIn(cluster.pass(limits.copyLookMs)).length, 1);
  });

  it('is tried again, once, where both of them are lost', () => {
    const { cluster, straggler } = withStraggler();
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    cluster.join('c', { cores: 1 });
    cluster.lose(straggler.nodeId);
    const effects = cluster.lose(copy!.nodeId);
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'retry' || effect.kind === 'assign' ? [effect.kind] : [])),
      ['retry', 'assign'],
    );
  });

  it('is taken from both of them where the run is stopped', () => {
    const { cluster } = withStraggler();
    cluster.pass(LONG_MS);
    const cancels = cluster.stop('r1').filter(({ kind }) => kind === 'cancel');
    assert.equal(cancels.length, 2);
    for (const order of cluster.held()) cluster.letGo(order);
    assert.equal(cluster.ledger.endOf('r1')?.state, 'cancelled');
  });

  it('lets a node that drains go once the other has ended it', () => {
    const { cluster, straggler } = withStraggler();
    const [copy] = copiesIn(cluster.pass(LONG_MS));
    cluster.drain(straggler.nodeId);
    assert.ok(kinds(cluster.complete(cluster.held(copy!.nodeId)[0]!)).includes('nodeDrained'));
  });
});

describe('whatever happens to a cluster with copies', () => {
  /** Several chunks are in two places already. */
  const start: readonly Command[] = [
    ...[0, 1, 2].map((node) => {
      const offer = { machine: `m${node}`, cores: 4, workloads: ['sums'] };
      return { do: 'join', node, offer, lastWords: false } as const;
    }),
    {
      do: 'submit',
      plan: {
        workload: 'sums',
        tasks: 60,
        shape: { processes: 0, threads: 1, concurrency: 2 },
        nodes: 0,
        policy: 'self',
        chunk: 5,
        retries: 2,
        deadlineMs: 0,
        speculate: true,
      },
    },
  ];
  const done = {
    do: 'report',
    order: 0,
    end: 'completed',
    tenths: 10,
    failMask: 0,
    busyMs: 3,
    bytesPerTask: 8,
    retryAfterMs: undefined,
    culprit: undefined,
    late: false,
  } as const;
  const prologue: readonly Command[] = [...start, ...Array(8).fill(done), { do: 'pass', ms: 4_000 }];

  it('every step keeps I1 to I5, every run ends, and a snapshot goes on in the same way', () => {
    let [copied, beaten] = [0, 0];
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 60, size: 'max' }), fc.nat(60), (commands, at) => {
        const drill = new Drill();
        let heir: { scheduler: Scheduler; from: number } | undefined;
        for (const [i, command] of [...prologue, ...commands].entries()) {
          drill.carryOut(command);
          if (i !== prologue.length + at) continue;
          const { scheduler, story } = drill.cluster;
          heir = { scheduler: Scheduler.restore(JSON.parse(JSON.stringify(scheduler.snapshot()))), from: story.length };
        }
        drill.settle();
        const { copies, told, story } = drill.cluster;
        copied += copies;
        beaten += told.filter((effects) => effects.includes('"outrun"')).length;
        if (heir !== undefined) assert.deepEqual(replay(story.slice(heir.from), heir.scheduler), told.slice(heir.from));
      }),
      { numRuns: 300 },
    );
    // Otherwise it has tested nothing.
    assert.ok(copied > 300 && beaten > 50, `${copied} copies, of which ${beaten} had an end`);
  });
});
