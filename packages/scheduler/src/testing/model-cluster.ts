/**
 * A cluster in memory: nodes that hold what they were assigned, a clock that the test moves, and a scheduler that is
 * audited after every step. Knows nothing of time or chance; the test decides what happens.
 */
import assert from 'node:assert/strict';
import type { Effect } from '../effects.ts';
import type { AttemptEnd, Event, Loss, NodeOffer, RunPlan } from '../events.ts';
import { explain } from '../explain.ts';
import { checkCapacity, checkInvariants } from '../invariants.ts';
import { Scheduler } from '../scheduler.ts';
import { Ledger } from './ledger.ts';

export type Report = Extract<Event, { kind: 'attemptReported' }>;

/** An assignment as its node sees it. */
export interface Order extends Extract<Effect, { kind: 'assign' }> {
  /** Tasks before it have been reported. */
  done: number;
  /** Its node is to stop it: the run is being stopped, or the node drains and is to hand it back. */
  recalled: boolean;
  /** Nothing comes of it until it is recalled, or its host process or its node is lost. */
  hangs: boolean;
}

type News = Partial<Pick<Report, 'failed' | 'busyMs' | 'bytes'>>;

export class ModelCluster {
  readonly scheduler = new Scheduler();
  readonly ledger = new Ledger();
  /** All events with their times, and the effects of each as JSON. */
  readonly story: { readonly event: Event; readonly now: number }[] = [];
  readonly told: string[] = [];
  readonly #orders = new Map<number, Order>();
  readonly #incarnations = new Map<string, number>();
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
    for (const effect of effects) this.#obey(effect);
    this.#assertCounts();
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

  lose(nodeId: string): Effect[] {
    this.#forget(nodeId);
    return this.step({ kind: 'nodeLost', nodeId, incarnation: this.incarnationOf(nodeId), reason: 'no heartbeat' });
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
    order.done = to;
    if (end.kind !== 'open') this.#orders.delete(attemptId);
    const usual = { failed: [], busyMs: to - from, bytes: 8 * (to - from) };
    return { kind: 'attemptReported', nodeId, incarnation, attemptId, from, to, end, ...usual, ...news };
  }

  progress(order: Order, to: number, news?: News): Effect[] {
    return this.step(this.write(order, to, { kind: 'open' }, news));
  }

  complete(order: Order, failed: readonly number[] = []): Effect[] {
    return this.step(this.write(order, order.to, { kind: 'completed' }, { failed }));
  }

  /** The order's host process dies with it. */
  die(order: Order, culprit?: number): Effect[] {
    const loss: Loss = {
      code: 'HOST_DIED',
      message: 'killed by SIGKILL',
      ...(culprit === undefined ? {} : { culprit }),
    };
    return this.step(this.write(order, order.done, { kind: 'lost', loss }));
  }

  letGo(order: Order): Effect[] {
    return this.step(this.write(order, order.done, { kind: 'stopped' }));
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

  #forget(nodeId: string): void {
    for (const order of this.held(nodeId)) this.#orders.delete(order.attemptId);
  }

  #obey(effect: Effect): void {
    if (effect.kind === 'wake') {
      assert.ok(effect.at < this.wakeAt, 'asks to be woken no earlier than it asked before');
      this.wakeAt = effect.at;
    }
    if (effect.kind === 'assign') {
      checkCapacity(this.scheduler, effect.nodeId, effect.runId);
      this.#orders.set(effect.attemptId, { ...effect, done: effect.from, recalled: false, hangs: false });
    }
    if (effect.kind === 'cancel') {
      const order = this.#orders.get(effect.attemptId);
      if (order !== undefined) order.recalled = true;
    }
    if (effect.kind === 'drain') {
      const begun = effect.handBack ? [] : this.atWork(effect.nodeId);
      for (const order of this.held(effect.nodeId)) if (!begun.includes(order)) order.recalled = true;
    }
  }

  /** I3, against books that are not the scheduler's own. Every run that has not ended can say why. */
  #assertCounts(): void {
    for (const run of this.scheduler.runs.values()) {
      assert.deepEqual(run.counts(), { ...this.ledger.countsOf(run.id), cancelled: 0 });
      const codes = explain(this.scheduler, run.id, this.now).map((reason) => reason.code);
      assert.ok(codes.length > 0 && !codes.includes('ENDED'), `run ${run.id} cannot say what holds it`);
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

export const assignsIn = (effects: readonly Effect[]): Extract<Effect, { kind: 'assign' }>[] =>
  effects.filter((effect) => effect.kind === 'assign');

/** Feeds the events to a new scheduler. @returns the effects of each step as JSON */
export function replay(story: readonly { readonly event: Event; readonly now: number }[]): string[] {
  const scheduler = new Scheduler();
  return story.map(({ event, now }) => JSON.stringify(scheduler.step(event, now)));
}
