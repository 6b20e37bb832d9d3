/**
 * Carries out assignments: holds them until a lane is free, gives them to host processes, tells what became of them.
 * Runs no workload code and knows no gRPC.
 *
 * - X1: every assignment is answered by exactly one outcome with an end, unless the executor is reset.
 * - X2: a run never has more chunks at work than its shape has lanes (a host may hold a few more, to begin without a
 *   pause), and runs together never more threads at work than the node has cores; a run alone may have as many as it
 *   asked for.
 * - X3: an order to stop is obeyed within `stopGraceMs` and the time of a kill, whatever the task does.
 */
import { type HostLimits, limits } from '../limits.ts';
import { Desk } from '../politeness/desk.ts';
import type { HostNews, LateFailure, PermitWord } from '../worker/messages.ts';
import { bareNews } from '../worker/messages.ts';
import { type Held, heldOf, timingOf } from './held.ts';
import type { Host, HostDeath } from './host.ts';
import { HostPool } from './host-pool.ts';
import { causeOf, threadDied } from './loss.ts';
import {
  aheadOf,
  chunkBegan,
  chunkEnded,
  closedRun,
  hasCoresFor,
  hostAlone,
  hostFor,
  type OpenRun,
  openRun,
} from './open-run.ts';
import { overdue } from './time-limit.ts';
import type { Assignment, Outcome, OutcomeEnd, RunOrder } from './work.ts';

export class Executor {
  /** Where tasks of polite runs get their permits. */
  readonly desk = new Desk((attemptId) => this.#held.get(attemptId)?.host?.permit(attemptId));
  readonly #cores: number;
  readonly #pool: HostPool;
  readonly #report: (outcome: Outcome) => void;
  readonly #takeAgentStall: () => number;
  readonly #throttledMs: () => number;
  readonly #runs = new Map<string, OpenRun>();
  readonly #held = new Map<number, Held>();
  /** Held attempts without a host, oldest first. */
  #queue: Held[] = [];
  readonly #watch: NodeJS.Timeout;
  #memoryCheckedAt = 0;
  readonly #taken = { pushed: 0, pulled: 0 };
  /** Who has asked to hold. */
  readonly #holders = new Set<string>();

  constructor(options: {
    cores: number;
    prestart: number;
    hostLimits: HostLimits;
    report: (outcome: Outcome) => void;
    reportLate: (late: LateFailure) => void;
    /** Told where one host after another dies at its start. */
    onUnable?: (why: string) => void;
    /** The longest block of the agent's own event loop since last asked, in ms. */
    takeAgentStall: () => number;
    /** How long the cgroup has held this node back since it started. */
    throttledMs: () => number;
  }) {
    this.#cores = options.cores;
    this.#report = options.report;
    this.#takeAgentStall = options.takeAgentStall;
    this.#throttledMs = options.throttledMs;
    this.#pool = new HostPool(
      options.prestart,
      options.hostLimits,
      {
        late: options.reportLate,
        permit: (host, word) => this.#onPermitWord(host, word),
        news: (host, news, stallMs) => this.#onNews(host, news, stallMs),
        death: (host, death) => this.#onDeath(host, death),
      },
      options.onUnable ?? (() => {}),
    );
    this.#watch = setInterval(() => this.#enforce(), limits.watchMs);
  }

  get hosts(): number {
    return this.#pool.size;
  }

  /** How it stands, and how many attempts it was given so far. */
  get figures() {
    let [lanes, lanesBusy] = [0, 0];
    for (const run of this.#runs.values()) {
      lanes = Math.max(lanes, run.lanes);
      lanesBusy += Math.min(run.active, run.lanes);
    }
    const [waiting, runs, held] = [this.#queue.length, this.#runs.size, this.#holders.size > 0];
    return { lanes: Math.max(lanes, lanesBusy), lanesBusy, waiting, runs, held, taken: this.#taken };
  }

  get pool(): HostPool {
    return this.#pool;
  }

  /** Again, for a run that is open, it changes nothing. */
  open(order: RunOrder): void {
    if (this.#runs.has(order.runId)) return;
    this.#runs.set(order.runId, openRun(order));
  }

  assign(assignment: Assignment): void {
    if (this.#held.has(assignment.attemptId)) return;
    // Not open: the coordinator closed it while this order was on its way, or is no coordinator of ours.
    const run = this.#runs.get(assignment.runId) ?? closedRun(assignment.runId);
    const held = heldOf(assignment, run);
    this.#held.set(assignment.attemptId, held);
    this.#taken[run.order.pulled ? 'pulled' : 'pushed']++;
    this.#queue.push(held);
    if (run.lanes === 0) this.#end(held, { kind: 'stopped' });
    else this.#fill();
  }

  cancel(attemptId: number): void {
    const held = this.#held.get(attemptId);
    if (held === undefined) return;
    if (held.host === undefined) return this.#end(held, { kind: 'stopped' });
    held.killAt = Math.min(held.killAt, performance.now() + limits.stopGraceMs);
    held.host.cancel(attemptId);
  }

  close(runId: string): void {
    this.#letGo(({ assignment }) => assignment.runId === runId);
    // Nobody will ever let it begin.
    for (const held of this.#held.values())
      if (held.waits && held.assignment.runId === runId) this.cancel(held.assignment.attemptId);
    this.#runs.delete(runId);
    this.#pool.closeRun(runId);
  }

  /**
   * Forgets all work that was pushed here, unanswered: the coordinator that ordered it is gone. Hosts that are at work on
   * it are killed. What was pulled from queues goes on; with `all` that is forgotten as well.
   */
  reset(all = false): void {
    const going = [...this.#held.values()].filter(({ run }) => all || !run.order.pulled);
    for (const { assignment, host } of going) {
      this.#held.delete(assignment.attemptId);
      this.desk.done(assignment.attemptId);
      host?.attempts.delete(assignment.attemptId);
    }
    this.#queue = this.#queue.filter(({ assignment }) => this.#held.has(assignment.attemptId));
    for (const [runId, { order }] of this.#runs) if (all || !order.pulled) this.close(runId);
    for (const host of new Set(going.map((held) => held.host))) host?.kill('order');
  }

  /** Runs whose chunks are pulled, or else those whose chunks are pushed here. */
  openRuns(pulled: boolean): string[] {
    return [...this.#runs.values()].flatMap(({ order }) => (order.pulled === pulled ? [order.runId] : []));
  }

  /** It has nothing to do. */
  get idle(): boolean {
    return this.#held.size === 0;
  }

  /** Attempts that were pushed here and go on. */
  get pushedAttempts(): number[] {
    return [...this.#held.values()].flatMap(({ run, assignment }) => (run.order.pulled ? [] : [assignment.attemptId]));
  }

  /** Lets go of what no host has begun; with `all` of what is at work too. Each is answered as stopped. */
  handBack(all: boolean): void {
    this.#letGo(() => true);
    if (all) for (const attemptId of [...this.#held.keys()]) this.cancel(attemptId);
  }

  /** Ends what waits. It leaves the queue first: ending one lets those behind it begin. */
  #letGo(which: (held: Held) => boolean): void {
    const going = this.#queue.filter(which);
    this.#queue = this.#queue.filter((held) => !which(held));
    for (const held of going) this.#end(held, { kind: 'stopped' });
  }

  /** While anybody who takes results is behind, no task begins. */
  hold(on: boolean, who: string): void {
    const before = this.#holders.size > 0;
    if (on) this.#holders.add(who);
    else this.#holders.delete(who);
    const held = this.#holders.size > 0;
    if (held === before) return;
    this.#pool.hold(held);
    this.desk.hold(held);
    // What was held had no chance to speak.
    if (!held) for (const attempt of this.#held.values()) attempt.newsAt = performance.now();
  }

  shutDown(): void {
    clearInterval(this.#watch);
    this.reset(true);
    this.desk.close();
    this.#pool.end();
  }

  /** Starts what can start, oldest first (X2). Light chunks do not overtake a heavy one that waits for cores. */
  #fill(): void {
    const left: Held[] = [];
    let coresTaken = false;
    for (const held of this.#queue) {
      const { run } = held;
      const ahead = run.active >= run.lanes;
      if (!ahead && !coresTaken) coresTaken = !hasCoresFor(run, this.#runs.values(), this.#cores);
      if (coresTaken || (ahead && run.active >= run.lanes + aheadOf(run))) left.push(held);
      else this.#start(held);
    }
    this.#queue = left;
  }

  #start(held: Held): void {
    const { run, assignment } = held;
    const { concurrency } = run.order.shape;
    const host = assignment.alone ? hostAlone(run, this.#pool) : hostFor(run, this.#pool);
    chunkBegan(run, host);
    held.host = host;
    held.startedAt = performance.now();
    held.newsAt = held.startedAt;
    const { runId, workload, params, taskTimeoutMs, polite = false } = run.order;
    host.give({ runId, workload, params, concurrency, taskTimeoutMs, polite }, assignment);
  }

  #onPermitWord(host: Host, word: PermitWord): void {
    const { attemptId } = word;
    const held = this.#held.get(attemptId);
    if (held === undefined || held.host !== host) return;
    // Of its thread, too, it is a sign of life.
    held.newsAt = performance.now();
    held.waits = word.kind === 'ask';
    if (word.kind === 'ask') this.desk.ask(attemptId, held.assignment.runId, word.target);
    else this.desk.done(attemptId, word.retryAfterMs);
  }

  #onNews(host: Host, news: HostNews, stallMs: number): void {
    const held = this.#held.get(news.attemptId);
    // Of an attempt that was reset, or ended by a kill that came too late.
    if (held === undefined || held.host !== host) return;
    held.newsAt = performance.now();
    held.waits = false;
    held.reported = news.to;
    held.laneMs += news.laneMs;
    held.thread = news.thread;
    const end: OutcomeEnd = news.end.kind === 'lost' ? threadDied(host, news.end.why) : { kind: news.end.kind };
    // A chunk's "now starting this task" is for the agent only.
    if (news.from === news.to && end.kind === 'open') return;
    this.#tell(held, news, end, stallMs);
    if (end.kind !== 'open') this.#release(held);
  }

  #onDeath(host: Host, death: HostDeath): void {
    // First of all: ending an attempt starts the next, which must not be given to the dead.
    for (const run of this.#runs.values()) run.hosts.delete(host);
    for (const attemptId of [...host.attempts]) {
      const held = this.#held.get(attemptId);
      if (held?.host === host) this.#end(held, causeOf(held, host, death));
    }
  }

  /** Ends an attempt of which no more news will come. */
  #end(held: Held, end: OutcomeEnd): void {
    this.#tell(held, bareNews(held.assignment.attemptId, held.reported, { kind: 'completed' }), end, 0);
    this.#release(held);
  }

  #release(held: Held): void {
    const { host, run, assignment } = held;
    this.#held.delete(assignment.attemptId);
    this.desk.done(assignment.attemptId);
    if (host === undefined) {
      this.#queue = this.#queue.filter((other) => other !== held);
    } else {
      host.attempts.delete(assignment.attemptId);
      chunkEnded(run, host, held.laneMs);
      this.#pool.rest(host);
    }
    this.#fill();
  }

  #tell(held: Held, news: HostNews, end: OutcomeEnd, hostStallMs: number): void {
    const { attemptId, runId } = held.assignment;
    const { from, to, results, failures } = news;
    // With one process the loop beside the work is that process's own; with more it is the agent's.
    const stallMs = held.run.order.shape.processes > 1 ? this.#takeAgentStall() : hostStallMs;
    const timing = timingOf(held, news, end, stallMs, this.#throttledMs());
    held.told = true;
    this.#report({ attemptId, runId, from, to, results, failures, timing, end });
  }

  /** Kills hosts whose attempts do not stop when told to, whose task is past its time without a word, or that grew (X3). */
  #enforce(): void {
    const now = performance.now();
    for (const { host, killAt } of this.#held.values()) if (now >= killAt) host?.kill('order');
    for (const held of this.#holders.size > 0 ? [] : overdue(this.#held.values(), now)) {
      held.timedOut = true;
      held.host!.kill('order', 'time-limit');
    }
    if (now - this.#memoryCheckedAt < limits.memoryWatchMs) return;
    this.#memoryCheckedAt = now;
    this.#pool.checkMemory();
  }
}
