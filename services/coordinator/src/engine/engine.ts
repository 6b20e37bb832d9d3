/**
 * The engine: events in, `scheduler.step`, effects out. The only caller of `step`, and the only writer of run and node
 * records. Knows no gRPC and no NATS; orders leave through ports, news comes in as plain values.
 *
 * - E1: events are taken one at a time, in the order they came, each with all its orders before the next.
 * - E2: what a step means for a run is written in its books once the step is safe with the recorder, in the order of the
 *   steps: what a client is told, and what a node is thanked for, is never taken back.
 */
import { lanesOf, type RunCounts, Scheduler } from '@regatta/scheduler';
import type { Observer } from '../observe/observer.ts';
import { Politeness } from '../politeness/politeness.ts';
import { admit } from './admission.ts';
import { Books } from './books.ts';
import { Shelf } from './byte-log.ts';
import { Clock } from './clock.ts';
import { Fleet, type NodeRecord, type WorkloadCard } from './fleet.ts';
import { History } from './history.ts';
import { limits } from './limits.ts';
import { Orders } from './orders.ts';
import { publishedIn, QueueFeeder, type QueuePort } from './queue-feeder.ts';
import { type QueuedNews, QueueNews } from './queue-news.ts';
import type { Recorder, Replay } from './record.ts';
import type { ResultStore } from './result-store.ts';
import type { Counters, Insides } from './revival.ts';
import { Roster } from './roster.ts';
import { RunInputs } from './run-inputs.ts';
import type { RunRecord, RunRequest } from './run-record.ts';
import type { StepClock } from './step-clock.ts';
import { Steps } from './steps.ts';
import { Submissions } from './submissions.ts';
import { explainWaiting, type RunReason } from './waiting.ts';
import { type Stuck, Watchdog } from './watchdog.ts';

export interface EngineOptions {
  /** Where results and inputs go that do not fit in memory. */
  readonly spillDirectory: string;
  /** After so long without a task ended a run is stuck. */
  readonly noProgressMs: number;
  /** Called when a state that the design rules out was met: the process should end. */
  readonly onBroken: (thrown: unknown) => void;
  /** Called for a run that gets nowhere. */
  readonly onStuck: (stuck: Stuck) => void;
  /** Called for a run that is stopped because its results cannot be kept. */
  readonly onUnkept?: (runId: string, reason: string) => void;
  /** Makes who is told of all that this engine does. */
  readonly observe?: ((insides: Insides) => Observer) | undefined;
}

export class Engine {
  readonly noProgressMs: number;
  /** Its nodes. */
  readonly roster: Roster;
  /** Towards what the tasks of all runs talk to. */
  readonly politeness = new Politeness((runId) => this.#politeRequestOf(runId));
  readonly shelf: Shelf;
  readonly #fleet = new Fleet();
  readonly #clock = new Clock();
  readonly #history: History;
  readonly #insides: Insides;
  // Never the number of an earlier life of this coordinator: a node may still hold work of that life.
  readonly #counters: Counters = { nextIncarnation: Date.now(), runSerial: 0 };
  readonly #feeder: QueueFeeder;
  readonly #orders: Orders;
  readonly #books: Books;
  readonly #steps: Steps;
  readonly #submissions: Submissions;
  readonly #queueNews: QueueNews;
  readonly #watching: NodeJS.Timeout;
  #queueServers: readonly string[] = [];
  readonly #onUnkept: (runId: string, reason: string) => void;
  readonly #watchdog: Watchdog;
  readonly #observer: Observer | undefined;

  constructor({ spillDirectory, noProgressMs, onBroken, onStuck, onUnkept, observe }: EngineOptions) {
    this.#onUnkept = onUnkept ?? (() => {});
    this.noProgressMs = noProgressMs;
    this.#watchdog = new Watchdog(noProgressMs);
    this.shelf = new Shelf(spillDirectory, limits.keptMemoryBytesMax);
    const history = new History(this.shelf, (runId, what) => this.#steps.recorder.forgotten(runId, what));
    const fleet = this.#fleet;
    this.#history = history;
    this.#feeder = new QueueFeeder({
      history,
      onUnfit: ({ runId, attemptId, from }, { code, message }) => {
        const nothing = { from, to: from, failed: [], busyMs: 0, bytes: 0 };
        const event = { kind: 'attemptReported', nodeId: '', incarnation: 0, runId, attemptId, ...nothing } as const;
        this.#steps.post({ ...event, end: { kind: 'lost', loss: { code, message } } });
      },
      onFailed: (runId, { message }) => this.#stopUnkept(runId, message),
    });
    this.#books = new Books({
      history,
      fleet,
      onTooMuch: (runId, reason) => this.#stopUnkept(runId, reason),
      onEnded: ({ runId }) => {
        const run = this.#history.get(runId);
        this.#steps.recorder.ended(run);
        this.#queueNews.forgetEnded();
        if (run.request.transport === 'nats') this.#feeder.close(runId);
      },
    });
    this.#orders = new Orders({
      history,
      fleet,
      clock: this.#clock,
      feeder: this.#feeder,
      pullersOf: (runId) =>
        [...(this.#scheduler.runs.get(runId)?.shares.values() ?? [])].map(({ node: { id, offer }, serves }) => ({
          nodeId: id,
          incarnation: offer.incarnation,
          serves,
        })),
      wakeAt: (at) => this.#steps.wakeAt(at),
    });
    const { shelf } = this;
    const [clock, counters, books] = [this.#clock, this.#counters, this.#books];
    const insides = { scheduler: new Scheduler(), clock, history, fleet, books, shelf, counters };
    const feeder = this.#feeder;
    this.#insides = insides;
    const observer = observe?.(insides);
    this.#observer = observer;
    this.#steps = new Steps({ insides, orders: this.#orders, feeder, onBroken, observer });
    this.roster = new Roster({ insides, steps: this.#steps, orders: this.#orders, observer });
    this.#queueNews = new QueueNews(insides, this.#steps, observer);
    this.#submissions = new Submissions({
      insides,
      feeder,
      steps: this.#steps,
      complaint: (transport) => this.#complaintOf(transport),
      onUnkept: (runId, reason) => this.#stopUnkept(runId, reason),
    });
    // unref'd: a coordinator that has been told to end does not wait for it.
    this.#watching = setInterval(() => this.#watch(onStuck), Math.min(limits.watchdogMs, noProgressMs / 2)).unref();
  }

  /** From now on runs may go through queues. Nodes find them at these servers. */
  attachQueue(port: QueuePort, servers: readonly string[]): void {
    this.#feeder.attach(port);
    this.#queueServers = servers;
  }

  /** Where nodes find the queues; empty where there are none. */
  get queueServers(): readonly string[] {
    return this.#queueServers;
  }

  get #scheduler(): Scheduler {
    return this.#insides.scheduler;
  }

  /** To be filled from what an earlier engine left behind, before it begins. */
  get insides(): Insides {
    return this.#insides;
  }

  /**
   * From now on all is recorded. What an earlier life left behind goes on: its nodes are awaited for a lease's time, its
   * queues are filled again.
   * @throws RegattaError where another one has begun meanwhile
   */
  async begin(recorder: Recorder): Promise<void> {
    this.#steps.recorder = recorder;
    this.#observer?.begins();
    this.#history.trim();
    this.#steps.post({ kind: 'recovered' });
    // Before any attempt is handed out: who comes next, and does not know of this, would give out the same numbers.
    await recorder.settled();
    for (const run of this.#scheduler.runs.values()) {
      this.#history.get(run.id).safeCounts = run.counts();
      if (run.queue === undefined) continue;
      this.#feeder.open(run.id, () => {});
      for (const effect of publishedIn(run)) this.#orders.give(effect);
    }
    // What it had asked to be woken for it asks for anew.
    this.#steps.post({ kind: 'tick' });
    this.roster.awaitThemAll();
  }

  /** It cannot go on, for a reason that its reports do not tell. */
  giveUp(runId: string, reason: string): void {
    this.#stopUnkept(runId, reason);
  }

  /** What is recorded has no more room. The run that takes most of it ends without its results, so that others go on. */
  stopLargest(waiting: ReadonlyMap<string, number>): void {
    const runId = this.#history.dropLargestResults(waiting);
    if (runId !== undefined) this.#stopUnkept(runId, 'the journal is full, and its results take the most of it');
  }

  /** Takes no more events. Resolves when what came of those before is safe, and told to whom it concerns, or never will be. */
  finish(): Promise<void> {
    this.#steps.end();
    return this.#steps.recorder.finish();
  }

  /** Takes no more events and gives no more orders: its place is another's. */
  end(reason: string): void {
    clearInterval(this.#watching);
    this.#steps.end();
    this.#steps.recorder.end();
    this.#feeder.end();
    this.politeness.end();
    this.#history.close();
    for (const { port, state } of this.#fleet.list()) if (state !== 'lost') port.hangUp(reason);
  }

  /** Fires when its place is another's. */
  get over(): AbortSignal {
    return this.#steps.over;
  }

  /** Whether what nodes report outlives this process, and so has to be kept by them until it is acknowledged. */
  get durable(): boolean {
    return this.#steps.recorder.durable;
  }

  /** Why what goes through NATS waits. */
  get complaint(): string | undefined {
    return this.#steps.recorder.complaint ?? this.#feeder.port?.complaint;
  }

  /** What does not go through a queue waits for the journal alone. */
  #complaintOf(transport: 'grpc' | 'nats'): string | undefined {
    return transport === 'nats' ? this.complaint : this.#steps.recorder.complaint;
  }

  /** Lives the run's events again. @throws RegattaError NO_JOURNAL, NOT_RECORDED */
  replay(runId: string): Promise<Replay> {
    return this.#steps.recorder.replay(runId);
  }

  get stepClock(): StepClock {
    return this.#steps.clock;
  }

  /** Resolves when nothing that was told so far can be lost. @throws RegattaError where it is lost */
  settled(): Promise<void> {
    return this.#steps.recorder.settled();
  }

  /** The results of a run, fetched from where an earlier life left them. @throws RegattaError NO_SUCH_RUN */
  async resultsOf(runId: string): Promise<ResultStore> {
    const run = this.run(runId);
    if (run.resultsElsewhere) {
      run.fetching ??= this.#steps.recorder.fetchResults(runId, run.results);
      await run.fetching;
      run.resultsElsewhere = false;
    }
    return run.results;
  }

  /** A place for the inputs of a run that is about to be submitted. @throws RegattaError BAD_RUN */
  receiveInputs(request: RunRequest): RunInputs {
    admit(request);
    return new RunInputs(this.shelf);
  }

  /** As `submit`; resolves when the run cannot be lost any more. @throws RegattaError NATS_AWAY besides; then it is none */
  submitSafely(request: RunRequest, inputs?: RunInputs): Promise<string> {
    return this.#submissions.takeSafely(request, inputs);
  }

  /** @returns the run's id. @throws RegattaError BAD_RUN, BAD_INPUTS, TOO_MANY_RUNS, NO_NATS */
  submit(request: RunRequest, inputs?: RunInputs): string {
    return this.#submissions.take(request, inputs);
  }

  /** @returns false where the run had ended already. @throws RegattaError NO_SUCH_RUN */
  cancel(runId: string, reason: string): boolean {
    if (this.run(runId).ended) return false;
    this.#steps.post({ kind: 'runStopped', runId, reason });
    return true;
  }

  /** @throws RegattaError NO_SUCH_RUN */
  run(runId: string): RunRecord {
    return this.#history.get(runId);
  }

  /** Newest first. */
  runs(): RunRecord[] {
    return this.#history.list();
  }

  /** How many go on, and how many are remembered in all. */
  get runsActive(): number {
    return this.#scheduler.runs.size;
  }

  get runsKept(): number {
    return this.#history.size;
  }

  counts(run: RunRecord): RunCounts {
    if (run.finalCounts !== undefined) return run.finalCounts;
    const { tasks } = run.request;
    const { succeeded, failed, cancelled } = run.safeCounts ?? { succeeded: 0, failed: 0, cancelled: 0 };
    const inFlight = this.#scheduler.runs.get(run.id)?.counts().inFlight ?? 0;
    // E2. A task whose end is not safe yet is no more than pending.
    const pending = tasks - succeeded - failed - cancelled - inFlight;
    return { tasks, succeeded, failed, cancelled, inFlight, pending };
  }

  /** @throws RegattaError NO_SUCH_RUN */
  explain(runId: string): RunReason[] {
    const { ended, request } = this.run(runId);
    const complaint = ended ? undefined : this.#complaintOf(request.transport === 'nats' ? 'nats' : 'grpc');
    const polite = ended ? [] : this.politeness.explain(runId);
    return explainWaiting(this.#scheduler, this.#fleet, runId, this.#clock.now(), complaint, polite);
  }

  #politeRequestOf(runId: string): RunRequest | undefined {
    const run = this.#history.find(runId);
    return run === undefined || run.ended ? undefined : run.request;
  }

  nodes(): NodeRecord[] {
    return this.#fleet.list();
  }

  /** Lanes that runs have open on a node, and chunks it holds. */
  lanes(nodeId: string): { lanes: number; busy: number } {
    const node = this.#scheduler.nodes.get(nodeId);
    const record = this.#fleet.find(nodeId);
    if (node === undefined || record === undefined) return { lanes: 0, busy: 0 };
    let lanes = record.introduction.machine.cores;
    for (const run of node.runs) lanes = Math.max(lanes, lanesOf(run.shares.get(nodeId)!.shape));
    return { lanes, busy: Math.min(lanes, node.attempts.size + record.pulse.pulled) };
  }

  /** What the connected nodes offer, each once. */
  workloads(): WorkloadCard[] {
    return this.#fleet.workloads();
  }

  /** News of a chunk that went into a queue, from whoever took it. */
  reportQueued(news: QueuedNews): void {
    this.#queueNews.take(news);
  }

  /** By run that goes on through a queue: chunks that are out, and tasks that have ended. */
  queuedOut(): Map<string, { chunks: number; done: number }> {
    const queued = [...this.#scheduler.runs.values()].filter((run) => run.queue !== undefined);
    return new Map(
      queued.map((run) => [run.id, { chunks: run.queue!.attempts, done: run.succeeded + run.failed + run.attempts }]),
    );
  }

  /** What was in the queues of these runs is gone. */
  requeue(runIds: readonly string[]): void {
    this.#queueNews.requeue(runIds);
  }

  /** Posted, not done at once: it is found out in the middle of a step. */
  #stopUnkept(runId: string, reason: string): void {
    queueMicrotask(() => {
      if (this.over.aborted || this.#history.find(runId)?.ended !== false) return;
      this.#onUnkept(runId, reason);
      this.#steps.post({ kind: 'runStopped', runId, reason });
    });
  }

  #watch(onStuck: (stuck: Stuck) => void): void {
    this.#history.makeRoom();
    const runs = [...this.#scheduler.runs.values()].map(({ id, succeeded, failed }) => ({
      id,
      done: succeeded + failed,
    }));
    for (const stuck of this.#watchdog.look(runs, performance.now(), (runId) => this.explain(runId))) onStuck(stuck);
  }
}
