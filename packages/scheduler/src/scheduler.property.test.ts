/**
 * Random histories of a cluster. Every step is audited (testing/model-cluster.ts, testing/ledger.ts); then the faults
 * stop, and every run has to end. A failure prints the seed and the path that replay it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AttemptEnd, NodeOffer, RunPlan } from './events.ts';
import { policyNames } from './policy.ts';
import { ModelCluster, type Order, type Report, replay } from './testing/model-cluster.ts';

const RUNS_MAX = 8;
const NODE_IDS = ['a', 'b', 'c', 'd', 'e'];
const WORKLOADS = ['sums', 'primes'];

type Fault = 'from-before' | 'to-after' | 'not-a-number' | 'fraction' | 'unsorted' | 'failed-outside' | 'bad-bytes';

/** Numbers pick among what is there at that time, modulo how many there are. */
type Command =
  | { readonly do: 'submit'; readonly plan: Omit<RunPlan, 'runId'> }
  | { readonly do: 'stop'; readonly run: number }
  | { readonly do: 'join'; readonly node: number; readonly offer: Partial<NodeOffer> }
  | { readonly do: 'lose'; readonly node: number; readonly behind: number }
  | {
      readonly do: 'report';
      readonly order: number;
      readonly end: AttemptEnd['kind'];
      /** How much of what is left is done, of 10. */
      readonly tenths: number;
      /** Which of it failed: those whose index has a bit in it. */
      readonly failMask: number;
      readonly busyMs: number;
      readonly culprit: number | undefined;
      readonly late: boolean;
    }
  | { readonly do: 'kill-host'; readonly node: number; readonly lanes: number }
  | { readonly do: 'garble'; readonly order: number; readonly fault: Fault; readonly end: AttemptEnd['kind'] }
  | { readonly do: 'deliver-late'; readonly report: number }
  | { readonly do: 'deliver-again'; readonly report: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'tick' };

const endKind = fc.constantFrom<AttemptEnd['kind']>(
  'open',
  'open',
  'completed',
  'completed',
  'completed',
  'lost',
  'stopped',
);

const anyPlan = fc.record({
  workload: fc.constantFrom(...WORKLOADS),
  tasks: fc.integer({ min: 1, max: 200 }),
  shape: fc.record({ processes: fc.nat(3), threads: fc.nat(3), concurrency: fc.integer({ min: 1, max: 5 }) }),
  nodes: fc.nat(3),
  policy: fc.constantFrom(...policyNames),
  chunk: fc.constantFrom(0, 1, 3, 20),
  retries: fc.nat(3),
  deadlineMs: fc.constantFrom(0, 0, 0, 1, 200, 5_000),
});

const anyOffer = fc.record({
  machine: fc.constantFrom('m1', 'm2', 'm3'),
  cores: fc.constantFrom(0.5, 1, 2, 3, 4),
  workloads: fc.constantFrom(WORKLOADS, WORKLOADS, ['sums'], []),
});

const faults: Fault[] = [
  'from-before',
  'to-after',
  'not-a-number',
  'fraction',
  'unsorted',
  'failed-outside',
  'bad-bytes',
];

const anyReport: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('report' as const),
  order: fc.nat(50),
  end: endKind,
  tenths: fc.nat(10),
  failMask: fc.constantFrom(0, 0, 0, 1, 2, 5, 255),
  busyMs: fc.constantFrom(0, 0.5, 3, 40, 700),
  culprit: fc.option(fc.nat(200), { nil: undefined }),
  late: fc.boolean(),
});

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: anyReport },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('submit' as const), plan: anyPlan }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('join' as const), node: fc.nat(4), offer: anyOffer }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('lose' as const), node: fc.nat(4), behind: fc.constantFrom(0, 0, 1) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), run: fc.nat(RUNS_MAX) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill-host' as const), node: fc.nat(4), lanes: fc.nat(8) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('garble' as const),
      order: fc.nat(50),
      fault: fc.constantFrom(...faults),
      end: endKind,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver-late' as const), report: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deliver-again' as const), report: fc.nat(500) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
);

/** Carries commands out on a model cluster, over a network that delays, repeats and garbles. */
class Drill {
  readonly cluster = new ModelCluster();
  readonly #sent: Report[] = [];
  readonly #late: Report[] = [];
  #submitted = 0;
  tasks = 0;

  carryOut(command: Command): void {
    const { cluster } = this;
    switch (command.do) {
      case 'submit':
        if (cluster.scheduler.runs.size === RUNS_MAX) return;
        this.tasks += command.plan.tasks;
        cluster.submit(`r${++this.#submitted}`, command.plan);
        return;
      case 'stop':
        cluster.stop(`r${1 + (command.run % (this.#submitted + 1))}`);
        return;
      case 'join':
        cluster.join(NODE_IDS[command.node]!, command.offer);
        return;
      case 'lose':
        return this.#lose(NODE_IDS[command.node]!, command.behind);
      case 'report':
        return this.#report(command);
      case 'kill-host':
        for (const order of cluster.held(NODE_IDS[command.node]).slice(0, command.lanes)) {
          this.#send(cluster.write(order, order.done, { kind: 'lost', loss: { code: 'HOST_DIED', message: '' } }));
        }
        return;
      case 'garble':
        return this.#garble(command.order, command.fault, command.end);
      case 'deliver-late':
        if (this.#late.length > 0) this.#send(this.#late.splice(command.report % this.#late.length, 1)[0]!);
        return;
      case 'deliver-again':
        if (this.#sent.length > 0) cluster.step(this.#sent[command.report % this.#sent.length]!);
        return;
      case 'pass':
        cluster.pass(command.ms);
        return;
      case 'tick':
        cluster.step({ kind: 'tick' });
        return;
    }
  }

  /** The faults stop: what is on its way arrives, and one node that can do anything stays. @returns steps to the end */
  settle(): number {
    for (const report of this.#late) this.cluster.step(report);
    this.cluster.join('healthy', { workloads: WORKLOADS });
    // Each task may have to be handed out alone, twice where a node believes it reported what never arrived.
    return this.cluster.settle(3 * this.tasks + 100);
  }

  #lose(nodeId: string, behind: number): void {
    if (behind === 0) return void this.cluster.lose(nodeId);
    const incarnation = this.cluster.incarnationOf(nodeId) - behind;
    this.cluster.step({ kind: 'nodeLost', nodeId, incarnation, reason: 'old news' });
  }

  #pick(nth: number): Order | undefined {
    const held = this.cluster.held();
    return held[nth % Math.max(1, held.length)];
  }

  #report(command: Extract<Command, { do: 'report' }>): void {
    const order = this.#pick(command.order);
    if (order === undefined) return;
    const { done, to: last } = order;
    const to = command.end === 'completed' ? last : done + Math.floor(((last - done) * command.tenths) / 10);
    const failed: number[] = [];
    for (let task = done; task < to; task++) if ((command.failMask >> (task % 8)) & 1) failed.push(task);
    const report = this.cluster.write(order, to, endOf(command.end, command.culprit), {
      failed,
      busyMs: command.busyMs,
    });
    if (command.late) this.#late.push(report);
    else this.#send(report);
  }

  /** A copy of a report that the node never wrote like that; the node itself goes on. */
  #garble(nth: number, fault: Fault, end: AttemptEnd['kind']): void {
    const order = this.#pick(nth);
    if (order === undefined) return;
    const { nodeId, incarnation, attemptId, done: from, to } = order;
    const ids = { kind: 'attemptReported' as const, nodeId, incarnation, attemptId };
    const report = { ...ids, from, to, failed: [], busyMs: 1, bytes: 1, end: endOf(end, Number.NaN) };
    const effects = this.cluster.step({ ...report, ...garbled[fault](from, to) });
    assert.ok(effects.some((effect) => effect.kind === 'ignored'));
  }

  #send(report: Report): void {
    this.#sent.push(report);
    this.cluster.step(report);
  }
}

const garbled: Record<Fault, (from: number, to: number) => Partial<Report>> = {
  'from-before': (from) => ({ from: from - 1_000 }),
  'to-after': (_, to) => ({ to: to + 1 }),
  'not-a-number': () => ({ to: Number.NaN }),
  fraction: (from, to) => ({ failed: [(from + to) / 2 + 0.25] }),
  unsorted: (from, to) => ({ failed: [to - 1, from] }),
  'failed-outside': (_, to) => ({ failed: [to] }),
  'bad-bytes': () => ({ bytes: Number.NaN }),
};

function endOf(kind: AttemptEnd['kind'], culprit: number | undefined): AttemptEnd {
  if (kind !== 'lost') return { kind };
  const loss = { code: 'HOST_DIED', message: 'killed by SIGKILL' };
  return { kind, loss: culprit === undefined ? loss : { ...loss, culprit } };
}

describe('whatever happens to a cluster', () => {
  it('every step keeps I1 to I5, and every run ends once the faults stop (I7)', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 120, size: 'max' }), (commands) => {
        const drill = new Drill();
        for (const command of commands) drill.carryOut(command);
        drill.settle();
      }),
      { numRuns: 300 },
    );
  });

  it('exactly the tasks that kill their host process fail, whatever is at work beside them', () => {
    const anyShape = fc.record({
      processes: fc.nat(2),
      threads: fc.nat(3),
      concurrency: fc.integer({ min: 1, max: 3 }),
    });
    const anyPoison = fc.uniqueArray(fc.nat(99), { maxLength: 6 });
    const anyCores = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(anyPlan, anyShape, anyPoison, anyCores, ({ policy, chunk }, shape, poison, cores) => {
        const cluster = new ModelCluster();
        for (const [i, count] of cores.entries()) cluster.join(NODE_IDS[i]!, { cores: count });
        cluster.submit('r1', { tasks: 100, policy, chunk, shape });
        cluster.workWith(new Set(poison), 1_000);
        assert.equal(cluster.ledger.endOf('r1')?.counts.failed, poison.length);
        assert.equal(cluster.ledger.endOf('r1')?.counts.succeeded, 100 - poison.length);
      }),
      { numRuns: 100 },
    );
  });

  it('the same events give the same effects, byte for byte (I8)', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 80, size: 'max' }), (commands) => {
        const drill = new Drill();
        for (const command of commands) drill.carryOut(command);
        const { story, told } = drill.cluster;
        assert.deepEqual(replay(story), told);
      }),
      { numRuns: 100 },
    );
  });
});
