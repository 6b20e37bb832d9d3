/**
 * Random histories of a cluster, as commands: nodes come, go, drain, hang, die and lie; the network delays, repeats and
 * garbles; what was pulled from a queue is delivered to another node. What picks among things that are there at that time is a number, taken modulo how many there are.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AttemptEnd, NodeOffer, RunPlan } from '../events.ts';
import { policyNames } from '../policy.ts';
import { ModelCluster, type Order, type Report } from './model-cluster.ts';

const RUNS_MAX = 8;
const NODE_IDS = ['a', 'b', 'c', 'd', 'e'];
const WORKLOADS = ['sums', 'primes'];

type Fault =
  | 'from-before'
  | 'to-after'
  | 'not-a-number'
  | 'fraction'
  | 'unsorted'
  | 'failed-outside'
  | 'bad-bytes'
  | 'bad-wait';

export type Command =
  | { readonly do: 'submit'; readonly plan: Omit<RunPlan, 'runId'> }
  | { readonly do: 'stop'; readonly run: number }
  /** With last words, what the node's earlier incarnation wrote of all it held arrives after the new one. */
  | { readonly do: 'join'; readonly node: number; readonly offer: Partial<NodeOffer>; readonly lastWords: boolean }
  /** `behind` is how old the incarnation is that the news is about. */
  | { readonly do: 'lose'; readonly node: number; readonly behind: number; readonly lastWords: boolean }
  | { readonly do: 'drain'; readonly node: number; readonly behind: number; readonly handBack: boolean }
  | { readonly do: 'resume'; readonly node: number; readonly behind: number }
  /** The node lets go of all that it was told to stop. */
  | { readonly do: 'obey'; readonly node: number; readonly late: boolean }
  /** Nothing comes of a chunk, until something ends it from outside. */
  | { readonly do: 'hang'; readonly order: number }
  /** The node kills a chunk that hangs: it knows the task. */
  | { readonly do: 'time-out'; readonly order: number }
  | {
      readonly do: 'report';
      readonly order: number;
      readonly end: AttemptEnd['kind'];
      /** How much of what is left is done, of 10. */
      readonly tenths: number;
      /** Which of it failed: those whose index has a bit in it. */
      readonly failMask: number;
      readonly busyMs: number;
      readonly bytesPerTask: number;
      /** What failed tasks ask for, each up to three times as much, or nothing. */
      readonly retryAfterMs: number | undefined;
      readonly culprit: number | undefined;
      readonly late: boolean;
    }
  /** Several chunks end at once. Where the node can tell which of them did it, it has let go of the others. */
  | { readonly do: 'kill-host'; readonly node: number; readonly lanes: number; readonly blame: 'each' | 'one' }
  | { readonly do: 'garble'; readonly order: number; readonly fault: Fault; readonly end: AttemptEnd['kind'] }
  /** Another node takes what one has pulled. */
  | { readonly do: 'redeliver'; readonly order: number; readonly node: number }
  /** A new coordinator takes over. */
  | { readonly do: 'recover' }
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

const anyCuts = fc.oneof(fc.constant([]), fc.uniqueArray(fc.integer({ min: 1, max: 199 }), { maxLength: 20 }));

const plainPlan = fc.record({
  workload: fc.constantFrom(...WORKLOADS),
  tasks: fc.integer({ min: 1, max: 200 }),
  shape: fc.record({ processes: fc.nat(3), threads: fc.nat(3), concurrency: fc.integer({ min: 1, max: 5 }) }),
  nodes: fc.nat(3),
  policy: fc.constantFrom(...policyNames),
  chunk: fc.constantFrom(0, 1, 3, 20),
  retries: fc.nat(3),
  deadlineMs: fc.constantFrom(0, 0, 0, 1, 200, 5_000),
  way: fc.constantFrom({ queued: false }, { speculate: true }, { queued: true }),
});

/** Its input comes in one part or in several. */
export const anyPlan = fc.tuple(plainPlan, anyCuts).map(([{ way, ...plan }, cuts]) => ({
  ...plan,
  ...way,
  inputCuts: cuts.filter((cut) => cut < plan.tasks).sort((a, b) => a - b),
}));

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
  'bad-wait',
];

const anyReport: fc.Arbitrary<Command> = fc.record({
  do: fc.constant('report' as const),
  order: fc.nat(50),
  end: endKind,
  tenths: fc.nat(10),
  failMask: fc.constantFrom(0, 0, 0, 1, 2, 5, 255),
  busyMs: fc.constantFrom(0, 0.5, 3, 40, 700),
  bytesPerTask: fc.constantFrom(0, 8, 8, 400_000),
  retryAfterMs: fc.constantFrom(undefined, undefined, 0, 7.5, 400, 1e9),
  culprit: fc.option(fc.nat(200), { nil: undefined }),
  late: fc.boolean(),
});

const node = fc.nat(NODE_IDS.length - 1);
const order = fc.nat(50);
const behind = fc.constantFrom(0, 0, 0, 1);
const flag = fc.boolean();

const commandOf = <Do extends Command['do'], Rest extends object>(
  name: Do,
  weight: number,
  rest: { readonly [Key in keyof Rest]: fc.Arbitrary<Rest[Key]> },
) => ({ weight, arbitrary: fc.record(rest).map((fields) => ({ do: name, ...fields })) });

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 14, arbitrary: anyReport },
  commandOf('submit', 3, { plan: anyPlan }),
  commandOf('join', 3, { node, offer: anyOffer, lastWords: flag }),
  commandOf('lose', 1, { node, behind, lastWords: flag }),
  commandOf('drain', 2, { node, behind, handBack: flag }),
  commandOf('resume', 2, { node, behind }),
  commandOf('obey', 2, { node, late: flag }),
  commandOf('hang', 1, { order }),
  commandOf('time-out', 1, { order }),
  commandOf('stop', 1, { run: fc.nat(RUNS_MAX) }),
  commandOf('kill-host', 1, { node, lanes: fc.nat(8), blame: fc.constantFrom('each' as const, 'one' as const) }),
  commandOf('garble', 1, { order, fault: fc.constantFrom(...faults), end: endKind }),
  commandOf('redeliver', 2, { order, node }),
  commandOf('recover', 1, {}),
  commandOf('deliver-late', 3, { report: fc.nat(50) }),
  commandOf('deliver-again', 1, { report: fc.nat(500) }),
  commandOf('pass', 2, { ms: fc.integer({ min: 0, max: 300 }) }),
  // Long enough for chunks to be copied.
  commandOf('pass', 1, { ms: fc.constant(2_500) }),
  commandOf('tick', 1, {}),
);

/** Carries commands out on a model cluster, over a network that delays, repeats and garbles. */
export class Drill {
  readonly cluster = new ModelCluster();
  readonly #sent: Report[] = [];
  readonly #late: Report[] = [];
  #submitted = 0;
  tasks = 0;

  carryOut(command: Command): void {
    const { cluster } = this;
    switch (command.do) {
      case 'submit':
        return this.#submit(command.plan);
      case 'stop':
        return void cluster.stop(`r${1 + (command.run % (this.#submitted + 1))}`);
      case 'join':
        return this.#join(command);
      case 'lose':
        return this.#lose(command);
      case 'drain':
        return void cluster.step({ kind: 'nodeDraining', handBack: command.handBack, ...this.#nodeOf(command) });
      case 'resume':
        return void cluster.step({ kind: 'nodeResumed', ...this.#nodeOf(command) });
      case 'obey':
        return this.#obey(command);
      case 'hang': {
        const order = this.#pick(command.order);
        if (order !== undefined) order.hangs = true;
        return;
      }
      case 'time-out': {
        const order = nthOf(
          cluster.held().filter(({ hangs }) => hangs),
          command.order,
        );
        if (order !== undefined) this.#send(cluster.write(order, order.done, endOf('lost', order.done)));
        return;
      }
      case 'report':
        return this.#report(command);
      case 'kill-host':
        return this.#killHost(command);
      case 'garble':
        return this.#garble(command.order, command.fault, command.end);
      case 'redeliver': {
        const order = nthOf(
          cluster.held().filter(({ queued }) => queued),
          command.order,
        );
        if (order !== undefined) cluster.redeliver(order, NODE_IDS[command.node]!);
        return;
      }
      case 'recover':
        return void cluster.step({ kind: 'recovered' });
      case 'deliver-late':
        if (this.#late.length > 0) this.#send(this.#late.splice(command.report % this.#late.length, 1)[0]!);
        return;
      case 'deliver-again':
        return this.#deliverAgain(command.report);
      case 'pass':
        return void cluster.pass(command.ms);
      case 'tick':
        return void cluster.step({ kind: 'tick' });
    }
  }

  /** The faults stop: what is on its way arrives, and one node that can do anything stays. */
  settle(): void {
    for (const report of this.#late) this.cluster.step(this.cluster.trimmed(report));
    this.cluster.join('healthy', { workloads: WORKLOADS });
    // Each task may have to be handed out alone, twice where a node believes it reported what never arrived.
    this.cluster.settle(3 * this.tasks + 100);
  }

  #submit(plan: Omit<RunPlan, 'runId'>): void {
    if (this.cluster.scheduler.runs.size === RUNS_MAX) return;
    this.tasks += plan.tasks;
    this.cluster.submit(`r${++this.#submitted}`, plan);
  }

  #nodeOf({ node, behind }: { node: number; behind: number }): { nodeId: string; incarnation: number } {
    const nodeId = NODE_IDS[node]!;
    return { nodeId, incarnation: this.cluster.incarnationOf(nodeId) - behind };
  }

  #join({ node, offer, lastWords }: Extract<Command, { do: 'join' }>): void {
    const words = lastWords ? this.#lastWordsOf(NODE_IDS[node]!) : [];
    this.cluster.join(NODE_IDS[node]!, offer);
    for (const report of words) this.#send(report);
  }

  #lose({ node, behind, lastWords }: Extract<Command, { do: 'lose' }>): void {
    const { nodeId, incarnation } = this.#nodeOf({ node, behind });
    if (behind > 0) return void this.cluster.step({ kind: 'nodeLost', nodeId, incarnation, reason: 'old news' });
    const words = lastWords ? this.#lastWordsOf(nodeId) : [];
    this.cluster.lose(nodeId);
    for (const report of words) this.#send(report);
  }

  /** The node has done all that it held, and nobody has heard of it. */
  #lastWordsOf(nodeId: string): Report[] {
    return this.cluster.held(nodeId).map((order) => this.cluster.write(order, order.to, { kind: 'completed' }));
  }

  #obey({ node, late }: Extract<Command, { do: 'obey' }>): void {
    for (const order of this.cluster.held(NODE_IDS[node])) {
      if (!order.recalled) continue;
      const report = this.cluster.write(order, order.done, { kind: 'stopped' });
      if (late) this.#late.push(report);
      else this.#send(report);
    }
  }

  #killHost({ node, lanes, blame }: Extract<Command, { do: 'kill-host' }>): void {
    for (const [i, order] of this.cluster.held(NODE_IDS[node]).slice(0, lanes).entries()) {
      const end = endOf(i === 0 || blame === 'each' ? 'lost' : 'stopped', undefined);
      this.#send(this.cluster.write(order, order.done, end));
    }
  }

  /** From a queue perhaps by another node, which did the same. */
  #deliverAgain(nth: number): void {
    const report = nthOf(this.#sent, nth);
    if (report === undefined) return;
    const twin = report.runId === undefined ? report : { ...report, nodeId: nthOf(NODE_IDS, nth)! };
    this.cluster.step(nth % 2 === 0 ? twin : this.cluster.trimmed(twin));
  }

  /** A chunk that gets on. */
  #pick(nth: number): Order | undefined {
    return nthOf(
      this.cluster.held().filter(({ hangs }) => !hangs),
      nth,
    );
  }

  #report(command: Extract<Command, { do: 'report' }>): void {
    const order = this.#pick(command.order);
    if (order === undefined) return;
    const { done, to: last } = order;
    const to = command.end === 'completed' ? last : done + Math.floor(((last - done) * command.tenths) / 10);
    const failed: number[] = [];
    for (let task = done; task < to; task++) if ((command.failMask >> (task % 8)) & 1) failed.push(task);
    const { busyMs, retryAfterMs: ms } = command;
    const waits = ms === undefined ? {} : { retryAfterMs: failed.map((task) => ms * (1 + (task % 3))) };
    const report = this.cluster.write(order, to, endOf(command.end, command.culprit), {
      failed,
      busyMs,
      bytes: command.bytesPerTask * (to - done),
      ...waits,
    });
    if (command.late) this.#late.push(report);
    else this.#send(report);
  }

  /** A copy of a report that the node never wrote like that; the node itself goes on. */
  #garble(nth: number, fault: Fault, end: AttemptEnd['kind']): void {
    const order = this.#pick(nth);
    if (order === undefined) return;
    const { done: from, to } = order;
    const report = this.cluster.write({ ...order }, to, { kind: 'open' }, { busyMs: 1, bytes: 1 });
    const effects = this.cluster.step({ ...report, end: endOf(end, Number.NaN), ...garbled[fault](from, to) });
    assert.ok(effects.some((effect) => effect.kind === 'ignored'));
  }

  #send(report: Report): void {
    this.#sent.push(report);
    this.cluster.step(this.cluster.trimmed(report));
  }
}

const nthOf = <T>(items: readonly T[], nth: number): T | undefined => items[nth % Math.max(1, items.length)];

const garbled: Record<Fault, (from: number, to: number) => Partial<Report>> = {
  'from-before': (from) => ({ from: from - 1_000 }),
  'to-after': (_, to) => ({ to: to + 1 }),
  'not-a-number': () => ({ to: Number.NaN }),
  fraction: (from, to) => ({ failed: [(from + to) / 2 + 0.25] }),
  unsorted: (from, to) => ({ failed: [to - 1, from] }),
  'failed-outside': (_, to) => ({ failed: [to] }),
  'bad-bytes': () => ({ bytes: Number.NaN }),
  'bad-wait': () => ({ retryAfterMs: [5] }),
};

function endOf(kind: AttemptEnd['kind'], culprit: number | undefined): AttemptEnd {
  if (kind !== 'lost') return { kind };
  const loss = { code: 'HOST_DIED', message: 'killed by SIGKILL' };
  return { kind, loss: culprit === undefined ? loss : { ...loss, culprit } };
}
