/**
 * A cluster in memory: nodes that hold what they were assigned, a clock that the test moves, and a scheduler that is
 * audited after every step. Knows nothing of time or chance; the test decides what happens.
 */
import assert from 'node:assert/strict';
import type { Effect } from '../effects.ts';
import type { AttemptEnd, Event, Loss, NodeOffer, RunPlan } from '../events.ts';
import { explain } from '../explain.ts';
import { checkCapacity, checkInvariants, checkQueueRoom } from '../invariants.ts';
import { limits } from '../limits.ts';
import { Scheduler } from '../scheduler.ts';
import { Ledger } from './ledger.ts';

export type Report = Extract<Event, { kind: 'attemptReported' }>;

type Assignment = Extract<Effect, { kind: 'assign' }>;

/** A chunk that was handed out, as its node sees it. */
export interface Order extends Pick<Assignment, 'attemptId' | 'runId' | 'from' | 'to' | 'attempt' | 'alone'> {
  /** The node that has it; of a queue, the one that took it last, which may be gone. */
  nodeId: string;
  incarnation: number;
  /** It was pulled from its run's queue. */
  readonly queued: boolean;
  /** Tasks before it have been reported. */
  done: number;
  /** Its node is to stop it: the run is being stopped, or the node drains and is to hand it back. */
  recalled: boolean;
  /** Nothing comes of it until it is recalled, or its host process or its node is lost. */
  hangs: boolean;
}

type News = Partial<Pick<Report, 'failed' | 'retryAfterMs' | 'busyMs' | 'bytes'>>;

export class ModelCluster {
  readonly scheduler = new Scheduler();
  readonly ledger = new Ledger();
  /** All events with their times, and the effects of each as JSON. */
  readonly story: { readonly event: Event; readonly now: number }[] = [];
  readonly told: string[] = [];
  /** By `keyOf`: a chunk that was copied is with two nodes. */
  readonly #orders = new Map<string, Order>();
  readonly #incarnations = new Map<string, number>();
  /** By run, the nodes that were told to pull. */
  readonly #pullers = new Map<string, Set<string>>();
  /** By run and task, when one that failed may be tried again. */
  readonly #notBefore = new Map<string, number>();
  /** Chunks that were given to a second node. */
  copies = 0;
  now = 0;
  /** When the scheduler wants to be woken. */
  wakeAt = Number.POSITIVE_INFINITY;

  /** Takes the step and audits it. */
  step(event: Event): Effect[] {
    if (event.kind === 'tick') this.wakeAt = Number.POSITIVE_INFINITY;
    this.story.push({ event, now: this.now });
    const effects = this.scheduler.step(event, this.now);
    this.told.push(JSON.stringify(effects));
    this.ledger.enter(event, effects);
    checkInvariants(this.scheduler);
    this.#noteWaits(event, effects);
    for (const effect of effects) this.#obey(effect);
    this.#assertCounts();
    this.#assertPullers();
    this.#assertBusy();
    this.#assertSuspectsNext(effects);
    return effects;
  }

  /** A node that was never there, or its next incarnation. */
  join(id: string, offer: Partial<NodeOffer> = {}): Effect[] {
    const incarnation = (this.#incarnations.get(id) ?? 0) + 1;
    this.#incarnations.set(id, incarnation);
    this.#forget(id);
    const node = { id, incarnation, machine: id, cores: 2, workloads: ['sums'], ...offer };
    return this.step({ kind: 'nodeJoined', node });
  }

  /** @param left on purpose */
  lose(nodeId: string, left = false): Effect[] {
    this.#forget(nodeId);
    const loss = { kind: 'nodeLost', nodeId, incarnation: this.incarnationOf(nodeId), reason: 'no heartbeat' } as const;
    return this.step(left ? { ...loss, left } : loss);
  }

  drain(nodeId: string, handBack = false): Effect[] {
    return this.step({ kind: 'nodeDraining', nodeId, incarnation: this.incarnationOf(nodeId), handBack });
  }

  resume(nodeId: string): Effect[] {
    return this.step({ kind: 'nodeResumed', nodeId, incarnation: this.incarnationOf(nodeId) });
  }

  submit(runId: string, plan: Partial<RunPlan> = {}): Effect[] {
    const shape = { processes: 0, threads: 1, concurrency: 1 };
    const usual = { workload: 'sums', tasks: 1, shape, nodes: 0, chunk: 1, retries: 0, deadlineMs: 0 };
    return this.step({ kind: 'runSubmitted', plan: { ...usual, policy: 'self', ...plan, runId } });
  }

  stop(runId: string): Effect[] {
    return this.step({ kind: 'runStopped', runId, reason: 'someone asked' });
  }

  /** Lets time pass, with a tick whenever the scheduler asked for one. */
  pass(ms: number): Effect[] {
    const until = this.now + ms;
    const effects: Effect[] = [];
    while (this.wakeAt <= until) {
      this.now = Math.max(this.now, this.wakeAt);
      effects.push(...this.step({ kind: 'tick' }));
    }
    this.now = until;
    return effects;
  }

  /** What nodes hold, as they see it, oldest first. */
  held(nodeId?: string, runId?: string): Order[] {
    const isMeant = (order: Order) =>
      (nodeId ?? order.nodeId) === order.nodeId && (runId ?? order.runId) === order.runId;
    return [...this.#orders.values()].filter(isMeant);
  }

  /** What the lanes of the node have begun: of each run the first that it was handed. */
  atWork(nodeId: string): Order[] {
    const runIds = new Set(this.held(nodeId).map(({ runId }) => runId));
    return [...runIds].flatMap((runId) => {
      const share = this.scheduler.runs.get(runId)?.shares.get(nodeId);
      // What a garbled report has ended is the node's no more, though it does not know.
      return this.held(nodeId, runId).slice(0, share?.lanes ?? 0);
    });
  }

  /** The order that covers the task. */
  holding(runId: string, task: number): Order {
    const order = this.held(undefined, runId).find(({ done, to }) => task >= done && task < to);
    assert.ok(order !== undefined, `no node holds task ${task} of ${runId}`);
    return order;
  }

  isAlive = (nodeId: string): boolean => this.scheduler.nodes.get(nodeId) !== undefined;

  incarnationOf(nodeId: string): number {
    return this.#incarnations.get(nodeId) ?? 0;
  }

  /** News of the order that is not sent yet; the node believes that it is. */
  write(order: Order, to: number, end: AttemptEnd, news: News = {}): Report {
    const { nodeId, incarnation, attemptId, done: from } = order;
    const queue = order.queued ? { runId: order.runId } : {};
    order.done = to;
    if (end.kind !== 'open') this.#orders.delete(keyOf(order));
    const usual = { failed: [], busyMs: to - from, bytes: 8 * (to - from) };
    return { kind: 'attemptReported', nodeId, incarnation, ...queue, attemptId, from, to, end, ...usual, ...news };
  }

  progress(order: Order, to: number, news?: News): Effect[] {
    return this.#tell(this.write(order, to, { kind: 'open' }, news));
  }

  complete(order: Order, failed: readonly number[] = [], news: News = {}): Effect[] {
    return this.#tell(this.write(order, order.to, { kind: 'completed' }, { failed, ...news }));
  }

  /** The order's host process dies with it. */
  die(order: Order, culprit?: number): Effect[] {
    const loss: Loss = {
      code: 'HOST_DIED',
      message: 'killed by SIGKILL',
      ...(culprit === undefined ? {} : { culprit }),
    };
    return this.#tell(this.write(order, order.done, { kind: 'lost', loss }));
  }

  letGo(order: Order): Effect[] {
    return this.#tell(this.write(order, order.done, { kind: 'stopped' }));
  }

  #tell(report: Report): Effect[] {
    return this.step(this.trimmed(report));
  }

  /** No more faults: all that is held is completed or, where it hangs, timed out; all ticks come. @returns how many steps it took until no run is left */
  settle(stepsMax: number): number {
    for (let steps = 0; steps < stepsMax; steps++) {
      if (this.scheduler.runs.size === 0) return steps;
      const [order] = this.#orders.values();
      if (order !== undefined) {
        if (order.recalled) this.letGo(order);
        else if (order.hangs) this.die(order, order.done);
        else this.complete(order);
        continue;
      }
      assert.ok(this.wakeAt < Number.POSITIVE_INFINITY, `stuck: ${this.#whyNotDone()}`);
      this.now = Math.max(this.now, this.wakeAt);
      this.step({ kind: 'tick' });
    }
    assert.fail(`not done after ${stepsMax} steps: ${this.#whyNotDone()}`);
  }

  /**
   * Works until no run is left, on nodes whose lanes are all in one host process: a task of `poison` kills with it what
   * is at work beside it, and nobody can tell which it was.
   */
  workWith(poison: ReadonlySet<number>, attemptsMax: number): void {
    while (this.scheduler.runs.size > 0) {
      assert.ok(this.scheduler.nextAttemptId <= attemptsMax + 1, `more than ${attemptsMax} attempts`);
      const [first] = this.#orders.values();
      assert.ok(first !== undefined, `stuck: ${this.#whyNotDone()}`);
      const atWork = this.atWork(first.nodeId);
      const kills = ({ done, to }: Order) => [...poison].some((task) => task >= done && task < to);
      if (atWork.some(kills)) for (const order of atWork) this.die(order);
      else this.complete(first);
    }
  }

  /** As it is handed on to the scheduler: without what another node has said before of the same attempt. */
  trimmed(report: Report): Report {
    const reported = this.#reportedOf(report);
    if (reported === undefined || report.from >= reported) return report;
    const { failed, retryAfterMs } = report;
    const isNew = (_: number, i: number) => failed[i]! >= reported;
    const waits = retryAfterMs === undefined ? {} : { retryAfterMs: retryAfterMs.filter(isNew) };
    return { ...report, from: reported, to: Math.max(reported, report.to), failed: failed.filter(isNew), ...waits };
  }

  /** Where more than one node may tell of it. */
  #reportedOf({ runId, attemptId, nodeId, incarnation }: Pick<Report, keyof Report & keyof Order>): number | undefined {
    if (runId !== undefined) return this.scheduler.runs.get(runId)?.queue?.holder.attempts.get(attemptId)?.reported;
    const node = this.scheduler.nodes.get(nodeId);
    const attempt = node?.offer.incarnation === incarnation ? node.attempts.get(attemptId) : undefined;
    return attempt !== undefined && attempt.copies > 0 ? attempt.reported : undefined;
  }

  /** Another node takes what was pulled before, and does what has not been reported. */
  redeliver(order: Order, nodeId: string): void {
    order.done = this.#reportedOf(order) ?? order.done;
    order.nodeId = nodeId;
    order.incarnation = this.incarnationOf(nodeId);
    order.hangs = false;
  }

  /** What it had pulled goes to another node that pulls, where there is one. */
  #forget(nodeId: string): void {
    for (const order of this.held(nodeId)) {
      if (!order.queued) this.#orders.delete(keyOf(order));
      else this.redeliver(order, [...this.pullers(order.runId)].find((id) => id !== nodeId) ?? nodeId);
    }
    for (const pullers of this.#pullers.values()) pullers.delete(nodeId);
  }

  /** The nodes that were told to pull of the run. */
  pullers(runId: string): Set<string> {
    const pullers = this.#pullers.get(runId) ?? new Set<string>();
    this.#pullers.set(runId, pullers);
    return pullers;
  }

  #obey(effect: Effect): void {
    if (effect.kind === 'wake') {
      assert.ok(effect.at < this.wakeAt, 'asks to be woken no earlier than it asked before');
      this.wakeAt = effect.at;
    }
    if (effect.kind === 'assign') {
      this.#give({ ...effect, queued: false, ...untouched(effect) });
    }
    if (effect.kind === 'copy') {
      this.copies++;
      this.#give({ ...effect, alone: false, queued: false, ...untouched(effect) });
    }
    if (effect.kind === 'publish') {
      checkQueueRoom(this.scheduler, effect.runId);
      const pullers = [...this.pullers(effect.runId)];
      const nodeId = pullers[effect.attemptId % pullers.length]!;
      const incarnation = this.incarnationOf(nodeId);
      const order = { ...effect, queued: true, nodeId, incarnation, ...untouched(effect) };
      this.#orders.set(keyOf(order), order);
    }
    if (effect.kind === 'pull') this.pullers(effect.runId).add(effect.nodeId);
    if (effect.kind === 'stopPull') this.pullers(effect.runId).delete(effect.nodeId);
    if (effect.kind === 'withdraw') {
      for (const id of effect.attemptIds) {
        const order = this.#orders.get(`${id}`);
        if (order !== undefined) order.recalled = true;
      }
    }
    if (effect.kind === 'cancel') {
      const order = this.#orders.get(keyOf({ ...effect, queued: false }));
      if (order !== undefined) order.recalled = true;
    }
    if (effect.kind === 'drain') {
      const begun = effect.handBack ? [] : this.atWork(effect.nodeId);
      const meant = this.held(effect.nodeId).filter((order) => !order.queued && !begun.includes(order));
      for (const order of meant) order.recalled = true;
    }
  }

  #give(order: Order): void {
    checkCapacity(this.scheduler, order.nodeId, order.runId);
    this.#orders.set(keyOf(order), order);
  }

  /** I3, against books that are not the scheduler's own. Every run that has not ended can say why. */
  #assertCounts(): void {
    for (const run of this.scheduler.runs.values()) {
      assert.deepEqual(run.counts(), { ...this.ledger.countsOf(run.id), cancelled: 0 });
      const codes = explain(this.scheduler, run.id, this.now).map((reason) => reason.code);
      assert.ok(codes.length > 0 && !codes.includes('ENDED'), `run ${run.id} cannot say what holds it`);
    }
  }

  /** I7: whoever has a part in a queued run was told to pull, and nobody else. */
  #assertPullers(): void {
    for (const run of this.scheduler.runs.values()) {
      const serving = [...run.shares.values()].filter(({ serves }) => serves && run.queue !== undefined);
      const keys = serving.map(({ node }) => `${node.id} ${node.offer.incarnation}`);
      assert.deepEqual(this.ledger.pullersOf(run.id).sort(), keys.sort());
    }
  }

  /** A task that failed is not tried again sooner than its node asked for, nor at once. */
  #noteWaits(event: Event, effects: readonly Effect[]): void {
    const failed = effects.find((effect) => effect.kind === 'retry' && effect.because === 'failed');
    if (failed?.kind === 'retry' && event.kind === 'attemptReported') {
      for (const [i, task] of event.failed.entries()) {
        const asked = Math.min(event.retryAfterMs?.[i] ?? 0, limits.retryAfterMsMax);
        this.#notBefore.set(`${failed.runId} ${task}`, this.now + Math.max(asked, limits.retryBackoffMsMin / 2));
      }
    }
    for (const effect of effects) {
      if (effect.kind !== 'assign' && effect.kind !== 'publish') continue;
      for (let task = effect.from; task < effect.to; task++) {
        const key = `${effect.runId} ${task}`;
        const at = this.#notBefore.get(key) ?? this.now;
        assert.ok(at <= this.now, `task ${task} of ${effect.runId} is tried again ${at - this.now} ms early`);
        this.#notBefore.delete(key);
      }
    }
  }

  /** I7: no node is idle while a run that it has a part in has something to hand out. */
  #assertBusy(): void {
    if (this.wakeAt <= this.now) return;
    for (const run of this.scheduler.turns) {
      if (run.workAt(this.now) > this.now) continue;
      for (const { node, serves } of run.shares.values()) {
        assert.ok(
          !serves || node.attempts.size > 0,
          `${node.id} is idle while run ${run.id} has ${run.pending} tasks to hand out`,
        );
      }
    }
    for (const run of this.scheduler.runs.values()) {
      if (!run.active || run.queue?.serves !== true || run.workAt(this.now) > this.now) continue;
      assert.ok(run.queue.attempts > 0, `nothing is queued of ${run.id}, which has ${run.pending} tasks to hand out`);
    }
  }

  /** The first node that serves a run with suspects is handed nothing else of it: they would wait for the run's end. */
  #assertSuspectsNext(effects: readonly Effect[]): void {
    for (const run of this.scheduler.turns) {
      const suspect = run.suspects.peek();
      const first = [...run.shares.values()].find(({ serves }) => serves)?.node;
      if (suspect === undefined || suspect.notBefore > this.now || first === undefined) continue;
      for (const { runId, nodeId, attemptId } of assignsIn(effects)) {
        if (runId !== run.id || nodeId !== first.id) continue;
        assert.ok(first.attempts.get(attemptId)!.alone, `${nodeId} is handed more of ${runId} while a suspect waits`);
      }
    }
  }

  #whyNotDone(): string {
    const reasons = [...this.scheduler.runs.keys()].map((id) => explain(this.scheduler, id, this.now));
    return JSON.stringify(reasons);
  }
}

/** Who has taken what is queued may change. */
const keyOf = ({ attemptId, nodeId, queued }: Pick<Order, 'attemptId' | 'nodeId' | 'queued'>): string =>
  queued ? `${attemptId}` : `${attemptId} ${nodeId}`;

const untouched = ({ from }: { from: number }) => ({ done: from, recalled: false, hangs: false });

export const assignsIn = (effects: readonly Effect[]): Assignment[] =>
  effects.filter((effect) => effect.kind === 'assign');

export const publishedIn = (effects: readonly Effect[]): Extract<Effect, { kind: 'publish' }>[] =>
  effects.filter((effect) => effect.kind === 'publish');

type Story = readonly { readonly event: Event; readonly now: number }[];

/** Feeds the events to a scheduler, a new one if none is given. @returns the effects of each step as JSON */
export function replay(story: Story, scheduler = new Scheduler()): string[] {
  return story.map(({ event, now }) => JSON.stringify(scheduler.step(event, now)));
}
