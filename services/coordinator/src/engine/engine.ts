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
import type { Introduction, NodePort, NodeRecord, Pulse, WorkloadCard } from './fleet.ts';
import { limits } from './limits.ts';
import { RunRecord, type RunRequest } from './run-record.ts';

/** The report that the current step is about, for effects that speak of its content. */
interface Occasion {
  readonly outcome?: Outcome;
  readonly nodeId?: string;
}

export class Engine {
  readonly #scheduler = new Scheduler();
  readonly #runs = new Map<string, RunRecord>();
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #inbox: [Event, Occasion][] = [];
  #stepping = false;
  #wake: NodeJS.Timeout | undefined;
  // Never the number of an earlier life of this coordinator: a node may still hold work of that life.
  #nextIncarnation = Date.now();
  #runSerial = 0;
  readonly #onBroken: (thrown: unknown) => void;

  /** @param onBroken called when a state that the design rules out was met: the process should end */
  constructor(onBroken: (thrown: unknown) => void) {
    this.#onBroken = onBroken;
  }

  /** @returns the run's id. @throws RegattaError BAD_RUN, TOO_MANY_RUNS */
  submit(request: RunRequest): string {
    admit(request);
    if (this.#scheduler.runs.size >= schedulerLimits.runsActiveMax) {
      const message = `${schedulerLimits.runsActiveMax} runs are waiting or running already; let some end first`;
      throw new RegattaError('TOO_MANY_RUNS', message);
    }
    this.#forgetOldRuns();
    const id = `run-${Date.now().toString(36)}-${(this.#runSerial++).toString(36)}`;
    this.#runs.set(id, new RunRecord(id, request, Date.now()));
    const { workload, tasks, shape, nodes, policy, chunk, retries, deadlineMs } = request;
    const plan = { runId: id, workload, tasks, shape, nodes, policy, chunk, retries, deadlineMs };
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
    const run = this.#runs.get(runId);
    if (run === undefined) throw new RegattaError('NO_SUCH_RUN', `no run ${runId}; see regatta runs`);
    return run;
  }

  /** Newest first. */
  runs(): RunRecord[] {
    return [...this.#runs.values()].reverse();
  }

  counts(run: RunRecord): RunCounts {
    const { tasks } = run.request;
    const nothing = { tasks, succeeded: 0, failed: 0, cancelled: 0, inFlight: 0, pending: tasks };
    return run.finalCounts ?? this.#scheduler.runs.get(run.id)?.counts() ?? nothing;
  }

  /** @throws RegattaError NO_SUCH_RUN */
  explain(runId: string): Reason[] {
    this.run(runId);
    return explain(this.#scheduler, runId, performance.now());
  }

  nodes(): NodeRecord[] {
    return [...this.#nodes.values()];
  }

  /** Lanes that runs have open on a node, and chunks it holds. */
  lanes(nodeId: string): { lanes: number; busy: number } {
    const node = this.#scheduler.nodes.get(nodeId);
    const record = this.#nodes.get(nodeId);
    if (node === undefined || record === undefined) return { lanes: 0, busy: 0 };
    let lanes = record.introduction.machine.cores;
    for (const run of node.runs) lanes = Math.max(lanes, lanesOf(run.shares.get(nodeId)!.shape));
    return { lanes, busy: Math.min(lanes, node.attempts.size) };
  }

  /** What the live nodes offer, each once. */
  workloads(): WorkloadCard[] {
    const cards = new Map<string, WorkloadCard>();
    for (const { state, introduction } of this.#nodes.values()) {
      if (state === 'alive') for (const card of introduction.workloads) cards.set(card.name, card);
    }
    return [...cards.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Takes a node in, as a new incarnation; one of the same name that was here before is lost. */
  join(introduction: Introduction, port: NodePort): number {
    const incarnation = this.#nextIncarnation++;
    const { nodeId, machine, workloads } = introduction;
    this.#nodes.get(nodeId)?.port.hangUp('the same node has connected anew');
    const pulse = { rssBytes: 0, hosts: 0, throttledMs: 0 };
    const sentAt = new Map<number, number>();
    const lastSeenMs = Date.now();
    this.#nodes.set(nodeId, { introduction, incarnation, port, state: 'alive', pulse, lastSeenMs, sentAt });
    this.#forgetLostNodes();
    const offer = { id: nodeId, incarnation, machine: machine.id, cores: machine.cores };
    this.#post({ kind: 'nodeJoined', node: { ...offer, workloads: workloads.map(({ name }) => name) } });
    return incarnation;
  }

  lost(nodeId: string, incarnation: number, reason: string): void {
    const node = this.#nodes.get(nodeId);
    if (node?.incarnation !== incarnation || node.state === 'lost') return;
    node.state = 'lost';
    node.sentAt.clear();
    this.#post({ kind: 'nodeLost', nodeId, incarnation, reason });
  }

  beat(nodeId: string, incarnation: number, pulse: Pulse): void {
    const node = this.#nodes.get(nodeId);
    if (node?.incarnation !== incarnation) return;
    node.pulse = pulse;
    node.lastSeenMs = Date.now();
  }

  report(nodeId: string, incarnation: number, outcome: Outcome): void {
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
    const effects = this.#scheduler.step(event, performance.now());
    if (occasion.outcome !== undefined) this.#keepBooks(occasion.outcome, occasion.nodeId!, effects);
    for (const effect of effects) this.#apply(effect, occasion);
  }

  #keepBooks(outcome: Outcome, nodeId: string, effects: readonly Effect[]): void {
    const run = this.#runs.get(outcome.runId);
    const node = this.#nodes.get(nodeId);
    if (run === undefined || node === undefined) return;
    if (effects.some((effect) => effect.kind === 'ignored')) {
      run.accounting.fenced++;
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
        this.#port(effect.nodeId, effect.incarnation)?.cancel(effect.attemptId);
        return;
      case 'commit':
        return this.#commit(effect, occasion.outcome);
      case 'giveUp':
        return this.#giveUp(effect, occasion.outcome);
      case 'retry': {
        const { accounting } = this.#runs.get(effect.runId)!;
        if (effect.because === 'failed') accounting.taskRetries += effect.tasks;
        else accounting.lostAttempts++;
        return;
      }
      case 'runEnded':
        return this.#ended(effect);
      case 'wake':
        return this.#wakeAt(effect.at);
      case 'ignored':
        return;
    }
  }

  #started(runId: string): void {
    const run = this.#runs.get(runId)!;
    run.state = 'running';
    run.startedAt = Date.now();
    run.changed();
  }

  #stopping(runId: string, reason: string): void {
    const run = this.#runs.get(runId)!;
    run.state = 'stopping';
    run.reason = reason;
    run.changed();
  }

  #assign(effect: Extract<Effect, { kind: 'assign' }>): void {
    const { nodeId, incarnation, attemptId, runId, from, to, attempt, open } = effect;
    const port = this.#port(nodeId, incarnation);
    const node = this.#nodes.get(nodeId);
    // The node has gone while this step was under way; its loss is in the inbox.
    if (port === undefined || node === undefined) return;
    if (open !== undefined) {
      const run = this.#runs.get(runId)!;
      const { workload, paramsJson, taskTimeoutMs } = run.request;
      port.open({ runId, workload, paramsJson, shape: open, taskTimeoutMs });
      const { throttledMs } = node.pulse;
      const before = run.accounting.nodes.get(nodeId);
      const idle = { tasks: 0, chunks: 0, hostRss: new Map<number, number>() };
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
    port.assign({ attemptId, runId, from, to, attempt });
  }

  #commit({ runId, from, to }: Extract<Effect, { kind: 'commit' }>, outcome: Outcome | undefined): void {
    if (outcome === undefined) return;
    const run = this.#runs.get(runId)!;
    const results = slicePack(outcome.results, from - outcome.from, to - outcome.from);
    run.results.add({ from, to, results });
    run.changed();
  }

  #giveUp(effect: Extract<Effect, { kind: 'giveUp' }>, outcome: Outcome | undefined): void {
    const run = this.#runs.get(effect.runId)!;
    const { nodeId: node, attempt, loss } = effect;
    // A task may fail by itself in the very report that tells of its host's death: that death is not its cause.
    const lossFacts = loss !== undefined && outcome?.end.kind === 'lost' ? outcome.end.loss : undefined;
    if (loss !== undefined) run.accounting.lostAttempts++;
    for (let task = effect.from; task < effect.to && run.failures.length < limits.failuresPerRunMax; task++) {
      const own = loss === undefined ? outcome?.failures.find((failure) => failure.task === task) : undefined;
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
    const run = this.#runs.get(runId)!;
    run.end(state, reason, counts);
    for (const { nodeId, incarnation } of nodes) this.#port(nodeId, incarnation)?.close(runId);
    run.changed();
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => this.#post({ kind: 'tick' }), Math.max(0, Math.ceil(at - performance.now())));
  }

  #port(nodeId: string, incarnation: number): NodePort | undefined {
    const node = this.#nodes.get(nodeId);
    return node?.incarnation === incarnation && node.state === 'alive' ? node.port : undefined;
  }

  #forgetLostNodes(): void {
    const lost = [...this.#nodes.values()].filter(({ state }) => state === 'lost');
    lost.sort((a, b) => a.lastSeenMs - b.lastSeenMs);
    for (const { introduction } of lost.slice(0, Math.max(0, lost.length - limits.lostNodesMax))) {
      this.#nodes.delete(introduction.nodeId);
    }
  }

  /** Keeps history and results within their limits, oldest out first. */
  #forgetOldRuns(): void {
    const ended = [...this.#runs.values()].filter((run) => run.ended);
    for (const run of ended.slice(0, Math.max(0, ended.length - limits.endedRunsMax))) this.#runs.delete(run.id);
    let bytes = [...this.#runs.values()].reduce((sum, run) => sum + run.results.bytes, 0);
    for (const run of ended) {
      if (bytes <= limits.resultBytesMax) return;
      bytes -= run.results.bytes;
      run.results.drop();
    }
  }
}
