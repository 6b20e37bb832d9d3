/**
 * The engine: events in, `scheduler.step`, effects out. The only caller of `step`, and the only writer of run and node
 * records. Knows no gRPC and no NATS; orders leave through ports, news comes in as plain values.
 *
 * - E1: events are taken one at a time, in the order they came, each with all its orders before the next.
 * - E2: what a step means for a run is written in its books once the step is safe with the recorder, in the order of the
 *   steps: what a client is told, and what a node is thanked for, is never taken back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import {
  type Effect,
  type Event,
  lanesOf,
  type RunCounts,
  Scheduler,
  limits as schedulerLimits,
} from '@regatta/scheduler';
import { slicePack } from '@regatta/workloads';
import { Politeness } from '../politeness/politeness.ts';
import { admit } from './admission.ts';
import { type Outcome, saidOf, withoutTold } from './bookkeeping.ts';
import { Books, ENOUGH } from './books.ts';
import { Shelf } from './byte-log.ts';
import { Clock } from './clock.ts';
import {
  type Assignment,
  Fleet,
  type Introduction,
  type NodePort,
  type NodeRecord,
  type Pulse,
  type WorkloadCard,
} from './fleet.ts';
import { History } from './history.ts';
import { limits } from './limits.ts';
import { Orders } from './orders.ts';
import { QueueFeeder, type QueuePort } from './queue-feeder.ts';
import { type Entry, type Recorder, type Replay, unrecorded } from './record.ts';
import { ResultStore } from './result-store.ts';
import { type Counters, type Insides, type Leftovers, pullsOn, reconcile } from './revival.ts';
import { RunInputs } from './run-inputs.ts';
import { type LateFailure, RunRecord, type RunRequest } from './run-record.ts';
import { StepClock } from './step-clock.ts';
import { explainWaiting, type RunReason } from './waiting.ts';
import { type Stuck, Watchdog } from './watchdog.ts';

/** What an event comes with that the scheduler has no use for. */
interface Occasion {
  /** The report that it is about. */
  readonly outcome?: Outcome;
  readonly nodeId?: string;
  readonly submission?: NonNullable<Entry['submission']>;
  readonly introduction?: Introduction;
  /** Called when the step is safe. */
  readonly onSafe?: () => void;
}

/** News from a queue. The same may come more than once, and from several nodes. */
export interface QueuedNews {
  readonly runId: string;
  readonly nodeId: string;
  readonly outcome: Outcome;
  /** To be called once what it says is safe. */
  ack(): void;
}

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
}

export class Engine {
  readonly noProgressMs: number;
  readonly stepClock = new StepClock();
  /** Towards what the tasks of all runs talk to. */
  readonly politeness = new Politeness((runId) => this.#politeRequestOf(runId));
  readonly shelf: Shelf;
  readonly #fleet = new Fleet();
  readonly #clock = new Clock();
  readonly #history: History;
  readonly #insides: Insides;
  // Never the number of an earlier life of this coordinator: a node may still hold work of that life.
  readonly #counters: Counters = { nextIncarnation: Date.now(), runSerial: 0, wakeAt: Number.POSITIVE_INFINITY };
  #recorder: Recorder = unrecorded;
  readonly #feeder: QueueFeeder;
  readonly #orders: Orders;
  readonly #books: Books;
  readonly #inbox: [Event, Occasion][] = [];
  /** Of attempts in a queue, news that came before other news that it follows on. */
  readonly #early = new Map<number, QueuedNews[]>();
  readonly #watching: NodeJS.Timeout;
  readonly #over = new AbortController();
  #stepping = false;
  #wake: NodeJS.Timeout | undefined;
  #queueServers: readonly string[] = [];
  readonly #onBroken: (thrown: unknown) => void;
  readonly #onUnkept: (runId: string, reason: string) => void;
  readonly #watchdog: Watchdog;

  constructor({ spillDirectory, noProgressMs, onBroken, onStuck, onUnkept }: EngineOptions) {
    this.#onUnkept = onUnkept ?? (() => {});
    this.noProgressMs = noProgressMs;
    this.#watchdog = new Watchdog(noProgressMs);
    this.#onBroken = onBroken;
    this.shelf = new Shelf(spillDirectory, limits.keptMemoryBytesMax);
    const history = new History(this.shelf, (runId, what) => this.#recorder.forgotten(runId, what));
    const fleet = this.#fleet;
    this.#history = history;
    this.#feeder = new QueueFeeder({
      history,
      onUnfit: ({ runId, attemptId, from }, { code, message }) => {
        const event = { kind: 'attemptReported', nodeId: '', incarnation: 0, runId, attemptId } as const;
        this.#post({ ...event, ...nothingDone(from), end: { kind: 'lost', loss: { code, message } } });
      },
      onFailed: (runId, { message }) => this.#stopUnkept(runId, message),
    });
    this.#books = new Books({
      history,
      fleet,
      onTooMuch: (runId, reason) => this.#stopUnkept(runId, reason),
      onEnded: ({ runId }) => {
        const run = this.#history.get(runId);
        this.#recorder.ended(run);
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
      wakeAt: (at) => this.#wakeAt(at),
    });
    const { shelf } = this;
    const [clock, counters, books] = [this.#clock, this.#counters, this.#books];
    this.#insides = { scheduler: new Scheduler(), clock, history, fleet, books, shelf, counters };
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
   */
  begin(recorder: Recorder): void {
    this.#recorder = recorder;
    this.#post({ kind: 'recovered' });
    if (this.#counters.wakeAt < Number.POSITIVE_INFINITY) this.#wakeAt(this.#counters.wakeAt);
    for (const run of this.#scheduler.runs.values()) {
      if (run.queue === undefined) continue;
      this.#feeder.open(run.id, () => {});
      for (const effect of publishedOf(run)) this.#orders.give(effect);
    }
    for (const { introduction, incarnation, awaited } of this.#fleet.list()) {
      if (awaited) setTimeout(() => this.#stopAwaiting(introduction.nodeId, incarnation), limits.leaseMs).unref();
    }
  }

  /** What is recorded has no more room. The run that takes most of it ends without its results, so that others go on. */
  stopLargest(): void {
    const runId = this.#history.dropLargestResults();
    if (runId !== undefined) this.#stopUnkept(runId, 'the journal is full, and its results take the most of it');
  }

  /** Takes no more events and gives no more orders: its place is another's. */
  end(reason: string): void {
    clearInterval(this.#watching);
    clearTimeout(this.#wake);
    this.#over.abort();
    for (const { port, state } of this.#fleet.list()) if (state !== 'lost') port.hangUp(reason);
  }

  /** Fires when its place is another's. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Whether what nodes report outlives this process, and so has to be kept by them until it is acknowledged. */
  get durable(): boolean {
    return this.#recorder.durable;
  }

  /** Why what goes through NATS waits. */
  get complaint(): string | undefined {
    return this.#recorder.complaint ?? this.#feeder.port?.complaint;
  }

  /** Lives the run's events again. @throws RegattaError NO_JOURNAL, NOT_RECORDED */
  replay(runId: string): Promise<Replay> {
    return this.#recorder.replay(runId);
  }

  /** Resolves when nothing that was told so far can be lost. @throws RegattaError where it is lost */
  settled(): Promise<void> {
    return this.#recorder.settled();
  }

  /** The results of a run, fetched from where an earlier life left them. @throws RegattaError NO_SUCH_RUN */
  async resultsOf(runId: string): Promise<ResultStore> {
    const run = this.run(runId);
    if (run.resultsElsewhere) {
      run.fetching ??= this.#recorder.fetchResults(runId, run.results);
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
  async submitSafely(asked: RunRequest, inputs?: RunInputs): Promise<string> {
    this.#check(asked, inputs);
    await this.#untilRecordable();
    const id = this.#newRunId();
    if (inputs !== undefined) await this.#recorder.keepInputs(id, inputs);
    this.submit(asked, inputs, id);
    await this.settled();
    return id;
  }

  /** @returns the run's id. @throws RegattaError BAD_RUN, BAD_INPUTS, TOO_MANY_RUNS, NO_NATS */
  submit(asked: RunRequest, inputs?: RunInputs, id = this.#newRunId()): string {
    this.#check(asked, inputs);
    const request = { ...asked, transport: this.#transportOf(asked) };
    // A run whose results cannot be kept is of no use to anybody.
    const onFailed = ({ message }: Error): void => this.#stopUnkept(id, `its results cannot be stored: ${message}`);
    const results = new ResultStore(this.shelf, onFailed);
    const run = new RunRecord(id, request, this.#clock.now(), results, inputs !== undefined);
    run.inputs = inputs;
    this.#history.add(run);
    const { workload, tasks, shape, nodes, policy, chunk, retries, deadlineMs } = request;
    const plan = {
      runId: id,
      workload,
      tasks,
      shape,
      nodes,
      policy,
      chunk,
      retries,
      deadlineMs,
      inputCuts: inputs?.cuts ?? [],
      queued: request.transport === 'nats',
    };
    this.#post(
      { kind: 'runSubmitted', plan },
      { submission: { request, hasInputs: run.hasInputs, submittedAt: run.submittedAt } },
    );
    return id;
  }

  /** A short outage is waited for; in a longer one nobody could be told that the run is taken. */
  async #untilRecordable(): Promise<void> {
    for (const giveUpAt = performance.now() + limits.recordWaitMsMax; this.durable; await sleep(limits.recordLookMs)) {
      const { complaint } = this;
      if (complaint === undefined) return;
      if (performance.now() < giveUpAt) continue;
      throw new RegattaError('NATS_AWAY', `no run can be taken just now, as it could not be recorded: ${complaint}`);
    }
  }

  #newRunId(): string {
    return `run-${Date.now().toString(36)}-${(this.#counters.runSerial++).toString(36)}`;
  }

  #check(request: RunRequest, inputs: RunInputs | undefined): void {
    admit(request);
    this.#transportOf(request);
    if (inputs !== undefined && inputs.tasks !== request.tasks) {
      throw new RegattaError('BAD_INPUTS', `it has ${request.tasks} tasks and inputs for ${inputs.tasks}`);
    }
    if (this.#scheduler.runs.size >= schedulerLimits.runsActiveMax) {
      const message = `${schedulerLimits.runsActiveMax} runs are waiting or running already; let some end first`;
      throw new RegattaError('TOO_MANY_RUNS', message);
    }
  }

  /** I/O goes through queues where there are any. */
  #transportOf({ transport, kind }: RunRequest): 'grpc' | 'nats' {
    const queues = this.#feeder.port !== undefined;
    if (transport === 'nats' && !queues) {
      const message = 'this coordinator has no NATS, so --transport nats cannot be; start it with --nats, or use grpc';
      throw new RegattaError('NO_NATS', message);
    }
    return transport || (kind === 'io' && queues ? 'nats' : 'grpc');
  }

  /** @returns false where the run had ended already. @throws RegattaError NO_SUCH_RUN */
  cancel(runId: string, reason: string): boolean {
    if (this.run(runId).ended) return false;
    this.#post({ kind: 'runStopped', runId, reason });
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
    const { tasks } = run.request;
    const nothing = { tasks, succeeded: 0, failed: 0, cancelled: 0, inFlight: 0, pending: tasks };
    return run.lastCounts ?? this.#scheduler.runs.get(run.id)?.counts() ?? nothing;
  }

  /** @throws RegattaError NO_SUCH_RUN */
  explain(runId: string): RunReason[] {
    const { ended, request } = this.run(runId);
    const journal = this.#recorder.complaint;
    const complaint = ended ? undefined : request.transport === 'nats' ? this.complaint : journal;
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

  /** Takes a node in, as a new incarnation; one of the same name that was here before is lost. */
  join(introduction: Introduction, port: NodePort): number {
    const incarnation = this.#counters.nextIncarnation++;
    const { nodeId, machine, workloads } = introduction;
    const before = this.#fleet.find(nodeId);
    before?.port.hangUp('the same node has connected anew');
    this.#fleet.add(introduction, incarnation, port);
    const offer = { id: nodeId, incarnation, machine: machine.id, cores: machine.cores };
    const node = { ...offer, workloads: workloads.map(({ name }) => name) };
    this.#post({ kind: 'nodeJoined', node }, { introduction });
    // It went on with what a coordinator before this one, or this one on another link, had told it.
    for (const runId of introduction.pulls) if (!this.#scheduler.runs.has(runId)) port.close(runId);
    // Whoever drained it meant the process, not the connection.
    if (before?.drains === true && before.introduction.instance === introduction.instance) this.drain(nodeId, false);
    return incarnation;
  }

  /**
   * Takes a node back that an earlier life of this coordinator had, with what it still has of its work.
   * @returns whether it goes on; otherwise it has to drop that and join
   */
  readmit(introduction: Introduction, left: Leftovers, port: NodePort): boolean {
    const { nodeId, instance } = introduction;
    const node = this.#fleet.at(nodeId, left.incarnation);
    if (node === undefined || !node.awaited || node.introduction.instance !== instance) return false;
    Object.assign(node, { port, introduction, awaited: false, lastSeenMs: Date.now() });
    const { missing, cancel, open, pull, close } = reconcile(this.#insides, introduction, left);
    for (const { runId, shape } of open) this.#orders.open(port, runId, shape);
    for (const attemptId of cancel) port.cancel(attemptId);
    for (const runId of close) port.close(runId);
    const { incarnation } = node;
    for (const { runId, shape } of pull) this.#orders.give({ kind: 'pull', nodeId, incarnation, runId, shape });
    if (node.state === 'draining') port.drain(false);
    for (const { attemptId, reported } of missing) {
      const event = { kind: 'attemptReported', nodeId, incarnation, attemptId } as const;
      this.#post({ ...event, ...nothingDone(reported), end: { kind: 'stopped' } });
    }
    return true;
  }

  #stopAwaiting(nodeId: string, incarnation: number): void {
    if (this.#fleet.at(nodeId, incarnation)?.awaited !== true) return;
    this.lost(nodeId, incarnation, `it did not come back within ${limits.leaseMs} ms of the coordinator's return`);
  }

  lost(nodeId: string, incarnation: number, reason: string): void {
    if (this.#fleet.lost(nodeId, incarnation) === undefined) return;
    this.#post({ kind: 'nodeLost', nodeId, incarnation, reason });
  }

  beat(nodeId: string, incarnation: number, pulse: Pulse): void {
    const node = this.#fleet.at(nodeId, incarnation);
    if (node === undefined) return;
    // Two in a row: the first may have been on its way when the node was told.
    if (node.emptied && node.pulse.pulled === 0 && pulse.pulled === 0) this.#fleet.emptied(nodeId, incarnation, false);
    node.pulse = pulse;
    node.lastSeenMs = Date.now();
  }

  /** The node gets no more work; what it has it finishes, or with `handBack` gives back. @throws RegattaError NO_SUCH_NODE */
  drain(nodeId: string, handBack: boolean): NodeRecord {
    const node = this.#fleet.connected(nodeId);
    this.#fleet.drains(nodeId, node.incarnation, true);
    this.#post({ kind: 'nodeDraining', nodeId, incarnation: node.incarnation, handBack });
    return node;
  }

  /** It gets work again. @throws RegattaError NO_SUCH_NODE */
  resume(nodeId: string): NodeRecord {
    const node = this.#fleet.connected(nodeId);
    this.#fleet.drains(nodeId, node.incarnation, false);
    this.#post({ kind: 'nodeResumed', nodeId, incarnation: node.incarnation });
    return node;
  }

  /** News of a failure that came after its task's result. */
  late(nodeId: string, incarnation: number, failure: LateFailure): void {
    if (this.#fleet.at(nodeId, incarnation) === undefined) return;
    const run = this.#history.find(failure.runId);
    if (run === undefined || !run.accounting.nodes.has(nodeId)) return;
    run.noteLate(failure);
    run.changed();
  }

  /** A chunk was taken back before its node got it. */
  unsent(nodeId: string, incarnation: number, { attemptId, from }: Assignment): void {
    const event = { kind: 'attemptReported', nodeId, incarnation, attemptId } as const;
    this.#post({ ...event, ...nothingDone(from), end: { kind: 'stopped' } });
  }

  /** @param onSafe called when it is safe: the node need not keep it any longer */
  report(nodeId: string, incarnation: number, said: Outcome, onSafe?: () => void): void {
    // Whose attempt it is we know ourselves: a node that errs must not write into the books of another run.
    const runId = this.#scheduler.nodes.get(nodeId)?.attempts.get(said.attemptId)?.run.id ?? said.runId;
    const outcome = runId === said.runId ? said : { ...said, runId };
    if (outcome.end.kind !== 'open') this.#fleet.at(nodeId, incarnation)?.port.ended(outcome.attemptId);
    this.#post({ ...reportOf(outcome, nodeId), incarnation }, { outcome, nodeId, ...(onSafe && { onSafe }) });
  }

  /** News of a chunk that went into a queue, from whoever took it. */
  reportQueued(news: QueuedNews): void {
    const { runId, nodeId, ack } = news;
    const { attemptId } = news.outcome;
    const attempt = this.#scheduler.runs.get(runId)?.queue?.holder.attempts.get(attemptId);
    if (attempt !== undefined && news.outcome.from > attempt.reported) {
      this.#early.set(attemptId, [...(this.#early.get(attemptId) ?? []), news]);
      return;
    }
    const outcome = withoutTold(news.outcome, attempt?.reported ?? 0);
    // Somebody else has told all of it.
    if (attempt !== undefined && outcome.from === outcome.to && outcome.end.kind === 'open') return ack();
    const event = { ...reportOf(outcome, nodeId), incarnation: 0, runId };
    this.#post(event, { outcome, nodeId, onSafe: ack });
    const early = this.#early.get(attemptId);
    this.#early.delete(attemptId);
    for (const other of early ?? []) this.reportQueued(other);
  }

  #post(event: Event, occasion: Occasion = {}): void {
    if (this.#over.signal.aborted) return;
    this.#inbox.push([event, occasion]);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(...next);
    } catch (thrown) {
      // A bug: the books can no longer be trusted, and a wrong answer is worse than a stopped coordinator.
      this.#onBroken(thrown);
      throw thrown;
    } finally {
      this.#stepping = false;
    }
  }

  #step(event: Event, occasion: Occasion): void {
    const { outcome, nodeId, submission, introduction, onSafe } = occasion;
    const at = this.#clock.now();
    const startedAt = performance.now();
    const effects = this.#scheduler.step(event, at);
    this.stepClock.add(performance.now() - startedAt);
    const said = outcome === undefined ? undefined : this.#saidOf(outcome, nodeId!, effects);
    const results = outcome === undefined ? [] : committedOf(outcome, effects);
    const facts = { ...(said && { said }), ...(submission && { submission }), ...(introduction && { introduction }) };
    const entry: Entry = { at, event, effects, results, ...facts };
    this.#recorder.record(entry, () => {
      this.#books.write(entry);
      // Not before: a queue that was cleared for a stop that nobody knows of would never be filled again.
      for (const effect of effects) if (effect.kind === 'withdraw') this.#feeder.withdraw(effect.runId);
      onSafe?.();
    });
    for (const effect of effects) this.#heed(effect);
  }

  #saidOf(outcome: Outcome, nodeId: string, effects: readonly Effect[]): ReturnType<typeof saidOf> {
    const over = outcome.end.kind !== 'open' || effects.some((effect) => effect.kind === 'ignored');
    return saidOf(outcome, nodeId, over ? this.#orders.takeAwayMs(nodeId, outcome.attemptId) : undefined);
  }

  /** What is done about an effect at once; the books wait until it is safe. */
  #heed(effect: Effect): void {
    this.#orders.give(effect);
    switch (effect.kind) {
      case 'commit':
      case 'giveUp':
        return this.#stopIfEnough(effect.runId);
      case 'withdraw':
        // Whoever works on one of them has been told to stop, and what it still says will be late news.
        for (const attemptId of effect.attemptIds) this.#letGo(effect.runId, attemptId);
        return;
      case 'runEnded':
        this.#history.get(effect.runId).lastCounts = effect.counts;
        return;
      case 'nodeDrained': {
        this.#fleet.emptied(effect.nodeId, effect.incarnation, pullsOn(this.#scheduler, effect.nodeId));
        return;
      }
      default:
        return;
    }
  }

  /** What was in the queues of these runs is gone: it is queued again, as new attempts. */
  requeue(runIds: readonly string[]): void {
    for (const runId of runIds) {
      for (const attemptId of [...(this.#scheduler.runs.get(runId)?.queue?.holder.attempts.keys() ?? [])]) {
        this.#letGo(runId, attemptId);
      }
    }
  }

  #stopIfEnough(runId: string): void {
    const { until } = this.#history.get(runId).request;
    const run = this.#scheduler.runs.get(runId);
    if (until === 'all' || run?.active !== true) return;
    const ended = until === 'any' ? run.succeeded : run.succeeded + run.failed;
    if (ended > 0) this.#post({ kind: 'runStopped', runId, reason: ENOUGH[until] });
  }

  #letGo(runId: string, attemptId: number): void {
    const attempt = this.#scheduler.runs.get(runId)!.queue!.holder.attempts.get(attemptId)!;
    for (const { ack } of this.#early.get(attemptId) ?? []) ack();
    this.#early.delete(attemptId);
    const event = { kind: 'attemptReported', nodeId: '', incarnation: 0, runId, attemptId } as const;
    this.#post({ ...event, ...nothingDone(attempt.reported), end: { kind: 'stopped' } });
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => this.#post({ kind: 'tick' }), Math.max(0, Math.ceil(at - this.#clock.now())));
    // A deadline days away must not keep a process that was told to end.
    this.#wake.unref();
  }

  /** Posted, not done at once: it is found out in the middle of a step. */
  #stopUnkept(runId: string, reason: string): void {
    queueMicrotask(() => {
      if (this.#history.find(runId)?.ended !== false) return;
      this.#onUnkept(runId, reason);
      this.#post({ kind: 'runStopped', runId, reason });
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

/** What is in the queue of a run, or with those who have taken it from there. */
const publishedOf = ({
  id: runId,
  queue,
}: Pick<Scheduler['runs'] extends Map<string, infer R> ? R : never, 'id' | 'queue'>): Effect[] =>
  [...(queue?.holder.attempts.values() ?? [])].map(({ id: attemptId, from, to, attempt, alone }) => ({
    kind: 'publish',
    runId,
    attemptId,
    from,
    to,
    attempt,
    alone,
  }));

const nothingDone = (from: number) => ({ from, to: from, failed: [], busyMs: 0, bytes: 0 });

function reportOf(outcome: Outcome, nodeId: string): Omit<Extract<Event, { kind: 'attemptReported' }>, 'incarnation'> {
  const { attemptId, from, to, failures, timing, end, results } = outcome;
  const asked = failures.some(({ retryAfterMs }) => retryAfterMs !== undefined);
  return {
    kind: 'attemptReported',
    nodeId,
    attemptId,
    from,
    to,
    failed: failures.map(({ task }) => task),
    ...(asked && { retryAfterMs: failures.map(({ retryAfterMs }) => retryAfterMs ?? 0) }),
    busyMs: timing.laneMs,
    bytes: results.byteLength,
    end,
  };
}

/** The results of what the step commits. */
function committedOf({ from: first, results }: Outcome, effects: readonly Effect[]): Entry['results'][number][] {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'commit') return [];
    const { runId, from, to } = effect;
    return [{ runId, from, to, results: slicePack(results, from - first, to - first) }];
  });
}
