/** One run as people see it: what was asked, how it stands, what it cost, what failed. */
import type { PolicyName, RunCounts, RunState, Shape } from '@regatta/scheduler';
import { limits } from './limits.ts';
import type { ResultStore } from './result-store.ts';
import type { RunInputs } from './run-inputs.ts';

export interface RunRequest {
  readonly workload: string;
  readonly kind: 'cpu' | 'io';
  /** How chunks reach nodes; empty for what suits the kind. */
  readonly transport: 'grpc' | 'nats' | '';
  /** What it waits for: its first task to end, the first to succeed, or all of them. */
  readonly until: 'first' | 'any' | 'all';
  readonly paramsJson: string;
  readonly tasks: number;
  readonly model: string;
  readonly shape: Shape;
  readonly nodes: number;
  readonly policy: PolicyName;
  readonly chunk: number;
  readonly retries: number;
  readonly taskTimeoutMs: number;
  readonly deadlineMs: number;
  /** Idle lanes may do chunks that others take long over, as well. Missing in what older coordinators wrote down. */
  readonly speculate?: boolean;
  /** Tasks, of whatever run, that talk to one target at a time, and begin to in a second; 0 for any number. */
  readonly maxInFlightPerTarget: number;
  readonly maxRatePerTarget: number;
}

export interface TaskFailure {
  readonly task: number;
  readonly attempt: number;
  readonly node: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly exit: number | undefined;
  readonly signal: string;
  readonly rssBytes: number;
  readonly stderrTail: string;
}

/** What a task had begun failed after its result was sent. */
export interface LateFailure {
  readonly runId: string;
  readonly task: number;
  readonly message: string;
  readonly stack: string;
}

/** What one node did of the run. */
export interface NodeShare {
  readonly shape: Shape;
  tasks: number;
  chunks: number;
  /** The largest resident memory seen of each host process, by its process id. */
  readonly hostRss: Map<number, number>;
  /** Process ids of those that died or were killed over its tasks. */
  readonly hostsLost: Set<number>;
  throttledMsAtStart: number;
  throttledMs: number;
}

export interface TaskTime {
  readonly task: number;
  readonly node: string;
  readonly wallMs: number;
  /** Undefined where tasks shared a thread and could not be told apart. */
  readonly cpuMs: number | undefined;
}

export class Accounting {
  slowest: TaskTime | undefined;
  cpuMs = 0;
  dispatchMs = 0;
  serializeMs = 0;
  waitMs = 0;
  taskWallMs = 0;
  resultBytes = 0;
  chunks = 0;
  taskRetries = 0;
  lostAttempts = 0;
  fenced = 0;
  lateFailures = 0;
  /** Chunks that were given to a second node; and how often that one was first. */
  copies = 0;
  copiesWon = 0;
  stallMs = 0;
  readonly nodes = new Map<string, NodeShare>();

  get peakRssBytes(): number {
    let sum = 0;
    for (const { hostRss } of this.nodes.values()) for (const bytes of hostRss.values()) sum += bytes;
    return sum;
  }

  get hostRestarts(): number {
    let sum = 0;
    for (const { hostsLost } of this.nodes.values()) sum += hostsLost.size;
    return sum;
  }

  get throttledMs(): number {
    let sum = 0;
    for (const share of this.nodes.values()) sum += share.throttledMs - share.throttledMsAtStart;
    return sum;
  }
}

/** A run's books as plain data: maps and sets in it are the structured clone's. */
export interface RunDump extends Pick<RunRecord, 'id' | 'request' | 'submittedAt' | 'hasInputs' | 'failures' | 'late'> {
  readonly accounting: Accounting;
  readonly own: Pick<RunRecord, 'state' | 'reason' | 'finalCounts' | 'startedAt' | 'endedAt'>;
}

export class RunRecord {
  readonly id: string;
  readonly request: RunRequest;
  readonly submittedAt: number;
  readonly results: ResultStore;
  /** Its results are not here but where an earlier coordinator left them. */
  resultsElsewhere = false;
  /** They come from there just now. */
  fetching: Promise<void> | undefined;
  inputs: RunInputs | undefined;
  readonly hasInputs: boolean;
  readonly failures: TaskFailure[] = [];
  readonly late: LateFailure[] = [];
  readonly accounting = new Accounting();
  state: RunState = 'waiting';
  reason = '';
  /** Set when the run has ended. */
  finalCounts: RunCounts | undefined;
  /** As of the last task whose end is safe: what the scheduler counts beyond that may still be taken back. */
  safeCounts: RunCounts | undefined;
  startedAt = 0;
  endedAt = 0;
  #causeCharacters = 0;
  readonly #listeners = new Set<() => void>();

  /** @param hasInputs whether its tasks have inputs, which may come later */
  constructor(id: string, request: RunRequest, now: number, results: ResultStore, hasInputs: boolean) {
    this.results = results;
    this.hasInputs = hasInputs;
    this.id = id;
    this.request = request;
    this.submittedAt = now;
  }

  /** All but its results and inputs. */
  dump(): RunDump {
    const { id, request, submittedAt, hasInputs, failures, late, accounting } = this;
    const { state, reason, finalCounts, startedAt, endedAt } = this;
    const own = { state, reason, finalCounts, startedAt, endedAt };
    return { id, request, submittedAt, hasInputs, failures: [...failures], late: [...late], accounting, own };
  }

  static load(dump: RunDump, results: ResultStore): RunRecord {
    const run = new RunRecord(dump.id, dump.request, dump.submittedAt, results, dump.hasInputs);
    Object.assign(run, dump.own);
    Object.assign(run.accounting, dump.accounting);
    for (const failure of dump.failures) run.noteFailure(failure);
    run.late.push(...dump.late);
    return run;
  }

  get ended(): boolean {
    return this.finalCounts !== undefined;
  }

  /** From submission to end, or to now. */
  get wallMs(): number {
    const until = this.ended ? this.endedAt : performance.timeOrigin + performance.now();
    return Math.max(0, until - this.submittedAt);
  }

  /** The run is over; the clock stops. @param at Unix time in ms */
  end(state: RunState, reason: string, counts: RunCounts, at: number): void {
    this.state = state;
    this.reason = reason;
    this.finalCounts = counts;
    this.endedAt = at;
    this.inputs?.drop();
  }

  noteFailure(failure: TaskFailure): void {
    if (this.failures.length >= limits.failuresPerRunMax) return;
    this.failures.push(failure);
    this.#causeCharacters += failure.message.length + failure.stack.length + failure.stderrTail.length;
  }

  /** Of what its failures say of their causes. */
  get causeCharacters(): number {
    return this.#causeCharacters;
  }

  /** Keeps codes and short messages: history is long. */
  shortenCauses(): void {
    for (const [i, failure] of this.failures.entries()) {
      // A copy: a slice would keep the whole text.
      const message = Buffer.from(failure.message.slice(0, limits.causeCharactersShort)).toString();
      this.failures[i] = { ...failure, message, stack: '', stderrTail: '' };
    }
    this.#causeCharacters = 0;
  }

  noteLate(failure: LateFailure): void {
    this.accounting.lateFailures++;
    if (this.late.length < limits.lateFailuresPerRunMax) this.late.push(failure);
  }

  /** Calls back at every change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
