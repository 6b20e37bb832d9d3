/**
 * The engine: events in, `scheduler.step`, effects out. The only caller of `step`, and the only writer of run and node
 * records. Knows no gRPC; orders leave through a node's port, news comes in as plain values.
 *
 * - E1: events are taken one at a time, in the order they came, each with all its effects before the next.
 * - E2: what an outcome commits is stored before any order that follows from it leaves.
 */
import { RegattaError } from '@regatta/kernel';
import {
  type Effect,
  type Event,
  explain,
  lanesOf,
  type Reason,
  type RunCounts,
  Scheduler,
  limits as schedulerLimits,
} from '@regatta/scheduler';
import { slicePack } from '@regatta/workloads';
import { admit } from './admission.ts';
import { account, type Outcome } from './bookkeeping.ts';
import { Shelf } from './byte-log.ts';
import { Fleet, type Introduction, type NodePort, type NodeRecord, type Pulse, type WorkloadCard } from './fleet.ts';
import { History } from './history.ts';
import { limits } from './limits.ts';
import { ResultStore } from './result-store.ts';
import { RunInputs } from './run-inputs.ts';
import { type LateFailure, RunRecord, type RunRequest } from './run-record.ts';
import { StepClock } from './step-clock.ts';
import { type Stuck, Watchdog } from './watchdog.ts';

/** What the scheduler knows, and what only whoever hears the nodes does. */
export type RunReason = Reason | { readonly code: 'NODE_SILENT'; readonly text: string };

const NO_INPUTS = new Uint8Array(0);
/** So many heartbeats late, a node is worth a word. */
const BEATS_MISSED = 3;

/** The report that the current step is about, for effects that speak of its content. */
interface Occasion {
  readonly outcome?: Outcome;
  readonly nodeId?: string;
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
  readonly shelf: Shelf;
  readonly #scheduler = new Scheduler();
  readonly #history: History;
  readonly #fleet = new Fleet();
  readonly #inbox: [Event, Occasion][] = [];
  #stepping = false;
  #wake: NodeJS.Timeout | undefined;
  // Never the number of an earlier life of this coordinator: a node may still hold work of that life.
  #nextIncarnation = Date.now();
  #runSerial = 0;
  readonly #onBroken: (thrown: unknown) => void;
  readonly #onUnkept: (runId: string, reason: string) => void;
  readonly #watchdog: Watchdog;

  constructor({ spillDirectory, noProgressMs, onBroken, onStuck, onUnkept }: EngineOptions) {
    this.#onUnkept = onUnkept ?? (() => {});
    this.noProgressMs = noProgressMs;
    this.#watchdog = new Watchdog(noProgressMs);
    this.#onBroken = onBroken;
    this.shelf = new Shelf(spillDirectory, limits.keptMemoryBytesMax);
    this.#history = new History(this.shelf);
    // unref'd: a coordinator that has been told to end does not wait for it.
    setInterval(() => this.#watch(onStuck), Math.min(limits.watchdogMs, noProgressMs / 2)).unref();
  }

  /** A place for the inputs of a run that is about to be submitted. @throws RegattaError BAD_RUN */
  receiveInputs(request: RunRequest): RunInputs {
    admit(request);
    return new RunInputs(this.shelf);
  }

  /** @returns the run's id. @throws RegattaError BAD_RUN, BAD_INPUTS, TOO_MANY_RUNS */
  submit(request: RunRequest, inputs?: RunInputs): string {
    admit(request);
    if (inputs !== undefined && inputs.tasks !== request.tasks) {
      throw new RegattaError('BAD_INPUTS', `it has ${request.tasks} tasks and inputs for ${inputs.tasks}`);
    }
    if (this.#scheduler.runs.size >= schedulerLimits.runsActiveMax) {
      const message = `${schedulerLimits.runsActiveMax} runs are waiting or running already; let some end first`;
      throw new RegattaError('TOO_MANY_RUNS', message);
    }
    const id = `run-${Date.now().toString(36)}-${(this.#runSerial++).toString(36)}`;
    // A run whose results cannot be kept is of no use to anybody.
    const onFailed = ({ message }: Error): void => this.#stopUnkept(id, `its results cannot be stored: ${message}`);
    this.#history.add(new RunRecord(id, request, Date.now(), new ResultStore(this.shelf, onFailed), inputs));
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
    };
    this.#post({ kind: 'runSubmitted', plan });
    return id;
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
    return run.finalCounts ?? this.#scheduler.runs.get(run.id)?.counts() ?? nothing;
  }

  /** @throws RegattaError NO_SUCH_RUN */
  explain(runId: string): RunReason[] {
    this.run(runId);
    const reasons = explain(this.#scheduler, runId, performance.now());
    return [...this.#silentNodes(runId), ...reasons];
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
    return { lanes, busy: Math.min(lanes, node.attempts.size) };
  }

  /** What the connected nodes offer, each once. */
  workloads(): WorkloadCard[] {
    return this.#fleet.workloads();
  }

  /** Takes a node in, as a new incarnation; one of the same name that was here before is lost. */
  join(introduction: Introduction, port: NodePort): number {
    const incarnation = this.#nextIncarnation++;
    const { nodeId, machine, workloads } = introduction;
    const before = this.#fleet.find(nodeId);
    before?.port.hangUp('the same node has connected anew');
    this.#fleet.add(introduction, incarnation, port);
    const offer = { id: nodeId, incarnation, machine: machine.id, cores: machine.cores };
    this.#post({ kind: 'nodeJoined', node: { ...offer, workloads: workloads.map(({ name }) => name) } });
    // Whoever drained it meant the process, not the connection.
    if (before?.drains === true && before.introduction.instance === introduction.instance) this.drain(nodeId, false);
    return incarnation;
  }

  lost(nodeId: string, incarnation: number, reason: string): void {
    const node = this.#fleet.at(nodeId, incarnation);
    if (node === undefined || node.state === 'lost') return;
    node.state = 'lost';
    node.sentAt.clear();
    this.#post({ kind: 'nodeLost', nodeId, incarnation, reason });
  }

  beat(nodeId: string, incarnation: number, pulse: Pulse): void {
    const node = this.#fleet.at(nodeId, incarnation);
    if (node === undefined) return;
    node.pulse = pulse;
    node.lastSeenMs = Date.now();
  }

  /** The node gets no more work; what it has it finishes, or with `handBack` gives back. @throws RegattaError NO_SUCH_NODE */
  drain(nodeId: string, handBack: boolean): NodeRecord {
    const node = this.#fleet.connected(nodeId);
    node.drains = true;
    if (node.state === 'alive') node.state = 'draining';
    this.#post({ kind: 'nodeDraining', nodeId, incarnation: node.incarnation, handBack });
    return node;
  }

  /** It gets work again. @throws RegattaError NO_SUCH_NODE */
  resume(nodeId: string): NodeRecord {
    const node = this.#fleet.connected(nodeId);
    node.drains = false;
    node.state = 'alive';
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

  report(nodeId: string, incarnation: number, said: Outcome): void {
    // Whose attempt it is we know ourselves: a node that errs must not write into the books of another run.
    const runId = this.#scheduler.nodes.get(nodeId)?.attempts.get(said.attemptId)?.run.id ?? said.runId;
    const outcome = runId === said.runId ? said : { ...said, runId };
    const { attemptId, from, to, failures, timing, end, results } = outcome;
    const failed = failures.map(({ task }) => task);
    const event: Event = {
      kind: 'attemptReported',
      nodeId,
      incarnation,
      attemptId,
      from,
      to,
      failed,
      busyMs: timing.laneMs,
      bytes: results.byteLength,
      end,
    };
    this.#post(event, { outcome, nodeId });
  }

  #post(event: Event, occasion: Occasion = {}): void {
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
    const startedAt = performance.now();
    const effects = this.#scheduler.step(event, startedAt);
    this.stepClock.add(performance.now() - startedAt);
    if (occasion.outcome !== undefined) this.#keepBooks(occasion.outcome, occasion.nodeId!, effects);
    for (const effect of effects) this.#apply(effect, occasion);
  }

  #keepBooks(outcome: Outcome, nodeId: string, effects: readonly Effect[]): void {
    const run = this.#history.find(outcome.runId);
    const node = this.#fleet.find(nodeId);
    if (run === undefined || node === undefined) return;
    if (effects.some((effect) => effect.kind === 'ignored')) {
      run.accounting.fenced++;
      node.sentAt.delete(outcome.attemptId);
      return;
    }
    account(run, node, outcome, performance.now());
  }

  #apply(effect: Effect, occasion: Occasion): void {
    switch (effect.kind) {
      case 'runStarted':
        this.#started(effect.runId);
        return;
      case 'assign':
        return this.#assign(effect);
      case 'runStopping':
        return this.#stopping(effect.runId, effect.reason);
      case 'cancel':
        this.#fleet.port(effect.nodeId, effect.incarnation)?.cancel(effect.attemptId);
        return;
      case 'commit':
        return this.#commit(effect, occasion.outcome);
      case 'giveUp':
        return this.#giveUp(effect, occasion.outcome);
      case 'retry': {
        const { accounting } = this.#history.get(effect.runId);
        if (effect.because === 'failed') accounting.taskRetries += effect.tasks;
        else if (effect.because === 'lost') accounting.lostAttempts++;
        return;
      }
      case 'runEnded':
        return this.#ended(effect);
      case 'wake':
        return this.#wakeAt(effect.at);
      case 'drain':
        this.#fleet.port(effect.nodeId, effect.incarnation)?.drain(effect.handBack);
        return;
      case 'nodeDrained': {
        const node = this.#fleet.at(effect.nodeId, effect.incarnation);
        if (node?.state === 'draining') node.state = 'drained';
        return;
      }
      case 'ignored':
        return;
    }
  }

  #started(runId: string): void {
    const run = this.#history.get(runId);
    run.state = 'running';
    run.startedAt = Date.now();
    run.changed();
  }

  #stopping(runId: string, reason: string): void {
    const run = this.#history.get(runId);
    run.state = 'stopping';
    run.reason = reason;
    run.changed();
  }

  #assign(effect: Extract<Effect, { kind: 'assign' }>): void {
    const { nodeId, incarnation, attemptId, runId, from, to, attempt, alone, open } = effect;
    const port = this.#fleet.port(nodeId, incarnation);
    const node = this.#fleet.find(nodeId);
    const run = this.#history.get(runId);
    // The node has gone while this step was under way; its loss is in the inbox.
    if (port === undefined || node === undefined) return;
    if (open !== undefined) {
      const { workload, paramsJson, taskTimeoutMs } = run.request;
      port.open({ runId, workload, paramsJson, shape: open, taskTimeoutMs });
      const { throttledMs } = node.pulse;
      const before = run.accounting.nodes.get(nodeId);
      const idle = { tasks: 0, chunks: 0, hostRss: new Map<number, number>(), hostsLost: new Set<number>() };
      // A node that came back has counted its throttling anew.
      run.accounting.nodes.set(nodeId, {
        ...idle,
        ...before,
        shape: open,
        throttledMsAtStart: throttledMs,
        throttledMs,
      });
    }
    node.sentAt.set(attemptId, performance.now());
    const inputs = run.inputs?.slice(from, to) ?? NO_INPUTS;
    port.assign({ attemptId, runId, from, to, attempt, alone, inputs });
  }

  #commit({ runId, from, to }: Extract<Effect, { kind: 'commit' }>, outcome: Outcome | undefined): void {
    if (outcome === undefined) return;
    const run = this.#history.get(runId);
    const results = slicePack(outcome.results, from - outcome.from, to - outcome.from);
    run.results.add({ from, to, results });
    if (run.results.bytes > limits.resultBytesPerRunMax) {
      this.#stopUnkept(runId, `its results are more than ${limits.resultBytesPerRunMax} bytes, the most of one run`);
    }
    run.changed();
  }

  #giveUp(effect: Extract<Effect, { kind: 'giveUp' }>, outcome: Outcome | undefined): void {
    const run = this.#history.get(effect.runId);
    const { nodeId: node, attempt, loss } = effect;
    // A task may fail by itself in the very report that tells of its host's death: that death is not its cause.
    const lossFacts = loss !== undefined && outcome?.end.kind === 'lost' ? outcome.end.loss : undefined;
    if (loss !== undefined) run.accounting.lostAttempts++;
    const failures = new Map(loss === undefined ? outcome?.failures.map((failure) => [failure.task, failure]) : []);
    for (let task = effect.from; task < effect.to && run.failures.length < limits.failuresPerRunMax; task++) {
      const own = failures.get(task);
      run.noteFailure({
        task,
        attempt,
        node,
        code: own?.code ?? loss?.code ?? 'UNKNOWN',
        message: own?.message ?? loss?.message ?? '',
        stack: own?.stack ?? '',
        exit: lossFacts?.exit,
        signal: lossFacts?.signal ?? '',
        rssBytes: lossFacts?.rssBytes ?? 0,
        stderrTail: lossFacts?.stderrTail ?? '',
      });
    }
    run.changed();
  }

  #ended({ runId, state, reason, counts, nodes }: Extract<Effect, { kind: 'runEnded' }>): void {
    const run = this.#history.get(runId);
    run.end(state, reason, counts);
    this.#history.ended(run);
    for (const { nodeId, incarnation } of nodes) this.#fleet.port(nodeId, incarnation)?.close(runId);
    run.changed();
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => this.#post({ kind: 'tick' }), Math.max(0, Math.ceil(at - performance.now())));
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

  /** Nodes of the run that have missed heartbeats: what they hold waits for them, or for the end of their lease. */
  #silentNodes(runId: string): RunReason[] {
    const shares = [...(this.#scheduler.runs.get(runId)?.shares.values() ?? [])];
    return shares.flatMap(({ node, attempts }) => {
      const silentMs = Date.now() - (this.#fleet.find(node.id)?.lastSeenMs ?? Number.POSITIVE_INFINITY);
      if (attempts === 0 || silentMs < BEATS_MISSED * limits.heartbeatMs) return [];
      const heard = `node ${node.id} was last heard ${Math.round(silentMs)} ms ago`;
      const text = `${heard}; after ${limits.leaseMs} ms it counts as lost, and its ${attempts} chunks go elsewhere`;
      return [{ code: 'NODE_SILENT', text }];
    });
  }
}
