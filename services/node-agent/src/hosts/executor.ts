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
import type { Host, HostDeath } from './host.ts';
import { HostPool } from './host-pool.ts';
import type { Assignment, Loss, Outcome, OutcomeEnd, RunOrder } from './work.ts';

/** How much the newest chunk counts in a run's mean. */
const CHUNK_MS_WEIGHT = 0.3;

interface OpenRun {
  readonly order: RunOrder;
  readonly lanes: number;
  /** Its hosts, with how many of its chunks each holds. */
  readonly hosts: Map<Host, number>;
  /** Chunks given to hosts. */
  active: number;
  /** Mean time that a lane spends on a chunk; 0 while unknown. */
  chunkMs: number;
}

interface Held {
  readonly assignment: Assignment;
  readonly run: OpenRun;
  readonly receivedAt: number;
  host: Host | undefined;
  startedAt: number;
  newsAt: number;
  /** Its next task waits to talk to its target, or has not said since that it began. */
  waits: boolean;
  /** What its lane spent on it so far. */
  laneMs: number;
  /** Where in its host it is worked on; undefined until it has spoken. */
  thread: number | undefined;
  reported: number;
  /** When it is killed for not stopping; infinite while it need not stop. */
  killAt: number;
  timedOut: boolean;
  /** Something of it was reported. */
  told: boolean;
}

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
    const { processes, threads, concurrency } = order.shape;
    this.#runs.set(order.runId, {
      order,
      lanes: processes * threads * concurrency,
      hosts: new Map(),
      active: 0,
      chunkMs: 0,
    });
  }

  assign(assignment: Assignment): void {
    if (this.#held.has(assignment.attemptId)) return;
    // Not open: the coordinator closed it while this order was on its way, or is no coordinator of ours.
    const run = this.#runs.get(assignment.runId) ?? closedRun(assignment.runId);
    const held: Held = {
      assignment,
      run,
      receivedAt: performance.now(),
      host: undefined,
      startedAt: 0,
      newsAt: 0,
      waits: false,
      laneMs: 0,
      thread: undefined,
      reported: assignment.from,
      killAt: Number.POSITIVE_INFINITY,
      timedOut: false,
      told: false,
    };
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
      if (!ahead && !coresTaken) coresTaken = !this.#hasCoresFor(run);
      if (coresTaken || (ahead && run.active >= run.lanes + aheadOf(run))) left.push(held);
      else this.#start(held);
    }
    this.#queue = left;
  }

  #start(held: Held): void {
    const { run, assignment } = held;
    const { concurrency } = run.order.shape;
    const host = assignment.alone ? this.#hostAlone(run) : this.#hostFor(run);
    run.active++;
    run.hosts.set(host, (run.hosts.get(host) ?? 0) + 1);
    held.host = host;
    held.startedAt = performance.now();
    held.newsAt = held.startedAt;
    const { runId, workload, params, taskTimeoutMs, polite = false } = run.order;
    host.give({ runId, workload, params, concurrency, taskTimeoutMs, polite }, assignment);
  }

  /** What dies there dies of this alone. */
  #hostAlone({ order: { shape } }: OpenRun): Host {
    const host = this.#pool.acquireIdle(shape.threads, shape.concurrency);
    host.reserved = true;
    return host;
  }

  /** Threads at work are 1 / concurrency for each chunk; a run alone may have all it asked for. */
  #hasCoresFor({ order: { shape } }: OpenRun): boolean {
    let load = 1 / shape.concurrency;
    for (const { active, lanes, order } of this.#runs.values())
      load += Math.min(active, lanes) / order.shape.concurrency;
    return load <= Math.max(this.#cores, shape.processes * shape.threads) + 1e-6;
  }

  /** The run's least loaded host; one more while it has fewer than its shape's processes and all have some work. */
  #hostFor(run: OpenRun): Host {
    const { processes, threads, concurrency } = run.order.shape;
    let best: Host | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [host, chunks] of run.hosts) {
      // Idle as far as this run goes, it has become another's: to share it is for the pool to decide.
      if (chunks === 0 && host.attempts.size > 0) run.hosts.delete(host);
      else if (host.usable && chunks < least) [best, least] = [host, chunks];
    }
    if (best !== undefined && (least === 0 || run.hosts.size >= processes)) return best;
    return this.#pool.acquire(threads, concurrency, new Set(run.hosts.keys()));
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
    const end = this.#endOf(held, news);
    // A chunk's "now starting this task" is for the agent only.
    if (news.from === news.to && end.kind === 'open') return;
    this.#tell(held, news, end, stallMs);
    if (end.kind !== 'open') this.#release(held);
  }

  #endOf(held: Held, news: HostNews): OutcomeEnd {
    if (news.end.kind !== 'lost') return { kind: news.end.kind };
    const { rssBytes } = held.host!;
    const message = `the thread that worked on it died: ${news.end.why}`;
    const cause = { exit: undefined, signal: '', rssBytes, stderrTail: '', culprit: undefined };
    return { kind: 'lost', loss: { code: 'THREAD_DIED', message, ...cause } };
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
      run.active--;
      const chunks = run.hosts.get(host);
      if (chunks !== undefined) run.hosts.set(host, chunks - 1);
      run.chunkMs = run.chunkMs === 0 ? held.laneMs : run.chunkMs + CHUNK_MS_WEIGHT * (held.laneMs - run.chunkMs);
    }
    if (host !== undefined) this.#pool.rest(host);
    this.#fill();
  }

  #tell(held: Held, news: HostNews, end: OutcomeEnd, hostStallMs: number): void {
    const { host, run, receivedAt, startedAt, assignment } = held;
    const now = performance.now();
    const { from, to, results, failures, wallUs, cpuUs, cpuMs, laneMs, serializeMs, waitMs: hostWaitMs } = news;
    const timing = {
      wallUs,
      cpuUs,
      cpuMs,
      laneMs,
      waitMs: held.told || host === undefined ? 0 : startedAt - receivedAt + hostWaitMs,
      serializeMs,
      residentMs: end.kind === 'open' ? 0 : now - receivedAt,
      bytes: results.byteLength,
      host: host?.pid ?? 0,
      hostRssBytes: host?.rssBytes ?? 0,
      // With one process the loop beside the work is that process's own; with more it is the agent's.
      stallMs: run.order.shape.processes > 1 ? this.#takeAgentStall() : hostStallMs,
      throttledMs: this.#throttledMs(),
    };
    held.told = true;
    this.#report({
      attemptId: assignment.attemptId,
      runId: assignment.runId,
      from,
      to,
      results,
      failures,
      timing,
      end,
    });
  }

  /** Kills hosts whose attempts do not stop when told to, whose task is past its time without a word, or that grew (X3). */
  #enforce(): void {
    const now = performance.now();
    for (const { host, killAt } of this.#held.values()) if (now >= killAt) host?.kill('order');
    for (const { held, heardAt } of this.#holders.size > 0 ? [] : this.#lastToSpeak()) {
      const { taskTimeoutMs } = held.run.order;
      if (taskTimeoutMs === 0 || now - heardAt < taskTimeoutMs + slackMsOf(held)) continue;
      held.timedOut = true;
      held.host!.kill('order', 'time-limit');
    }
    if (now - this.#memoryCheckedAt < limits.memoryWatchMs) return;
    this.#memoryCheckedAt = now;
    this.#pool.checkMemory();
  }

  /**
   * By thread, the attempt that spoke last. A lane speaks as its task begins, so where a thread is blocked this is the
   * one that blocks it; the others on it only wait for their turn. A lane that waits for a permit is at work on nothing,
   * but that it asked for one shows that its thread was not blocked.
   */
  #lastToSpeak(): { readonly held: Held; readonly heardAt: number }[] {
    const threads = new Map<string, { last: Held | undefined; heardAt: number }>();
    for (const held of this.#held.values()) {
      if (held.host === undefined || held.host.killedFor !== undefined || held.thread === undefined) continue;
      const name = `${held.host.pid}/${held.thread}`;
      const thread = threads.get(name) ?? { last: undefined, heardAt: Number.NEGATIVE_INFINITY };
      threads.set(name, thread);
      thread.heardAt = Math.max(thread.heardAt, held.newsAt);
      if (!held.waits && held.newsAt > (thread.last?.newsAt ?? Number.NEGATIVE_INFINITY)) thread.last = held;
    }
    return [...threads.values()].flatMap(({ last, heardAt }) => (last === undefined ? [] : [{ held: last, heardAt }]));
  }
}

/** A host with threads speaks for itself only as it opens a run: its threads may still be starting then. */
const slackMsOf = ({ host, thread }: Held): number =>
  thread === 0 && host!.threads > 1 ? limits.threadStartMsMax : limits.silenceSlackMs;

/** Stands for a run that is not open here; it has no lanes. */
function closedRun(runId: string): OpenRun {
  const shape = { processes: 1, threads: 1, concurrency: 1 };
  const order: RunOrder = { runId, workload: '', params: {}, shape, taskTimeoutMs: 0, pulled: false };
  return { order, lanes: 0, hosts: new Map(), active: 0, chunkMs: 0 };
}

/** Chunks that hosts may hold beyond the run's lanes. None where a silent host is killed: a waiting chunk is silent. */
function aheadOf({ order, hosts, chunkMs }: OpenRun): number {
  if (order.taskTimeoutMs > 0 || chunkMs === 0 || chunkMs >= limits.aheadChunkMsMax) return 0;
  return hosts.size * Math.min(limits.aheadChunksMax, Math.ceil(limits.aheadMs / chunkMs));
}

/** What a host's death means for one of the attempts it held. */
function causeOf(held: Held, host: Host, death: HostDeath): OutcomeEnd {
  const { exit, signal, rssBytes, stderrTail } = death;
  const facts = { exit: exit ?? undefined, signal: signal ?? '', rssBytes, stderrTail };
  if (held.timedOut) {
    const message = `took longer than ${held.run.order.taskTimeoutMs} ms; its host process was killed`;
    return { kind: 'lost', loss: { code: 'TASK_TIMED_OUT', message, ...facts, culprit: held.reported } };
  }
  // Killed for another attempt's sake: what is left of this one is as good as new.
  // Nor is what it was never able to begin with to blame.
  const innocent =
    held.killAt < Number.POSITIVE_INFINITY ||
    host.killedFor === 'order' ||
    (!host.wasReady && host.killedFor !== 'memory');
  if (innocent) return { kind: 'stopped' };
  if (host.killedFor === 'memory') {
    const message = `its host process was killed for using ${mebibytes(rssBytes)}; the limit is --host-memory`;
    return { kind: 'lost', loss: { code: 'MEMORY_EXCEEDED', message, ...facts, culprit: undefined } };
  }
  const how = signal === null ? `exited with code ${exit}` : `was killed by ${signal}`;
  const message = `the host process ${how} while working on it`;
  const loss: Loss = { code: 'HOST_DIED', message, ...facts, culprit: undefined };
  return { kind: 'lost', loss };
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
