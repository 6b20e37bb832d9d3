/**
 * One run: which of its tasks are committed, handed out or still to do, and who works on it.
 * Holds ranges and chunks only; a run handed out in order costs the same at a thousand tasks and at a billion.
 *
 * Owns I1 (every task is in exactly one of: committed, in flight, pending; no chunk crosses a cut), I2 and I3.
 */
import { assert, InvariantError, lengthOf, MinHeap, mixSeed, type Range, RangeSet } from '@regatta/kernel';
import { type DumpedNumber, dumpNumber, loadNumber } from './dump.ts';
import type { RunCounts } from './effects.ts';
import type { RunPlan } from './events.ts';
import type { Attempt, Node } from './node.ts';
import { Queue, type QueueDump } from './queue.ts';
import { dumpShare, loadShare, type Share, type ShareDump, type Taker } from './share.ts';
import { nextRunState, type RunState } from './transitions.ts';

/** Work to hand out, with its past. */
export interface Chunk extends Range {
  /** 1 for the first try. */
  readonly attempt: number;
  /** How often its tasks failed by their own doing. */
  readonly failures: number;
  /** How often it was lost with its node. */
  readonly nodeLosses: number;
  /** A suspect: one task that may have killed a host process. Tried with no other chunk of its run beside it. */
  readonly alone: boolean;
}

/** A suspect, or whatever else there is. */
export type Work = 'usual' | 'suspect';

/** A chunk that was tried before. */
export interface RetryChunk extends Chunk {
  readonly notBefore: number;
}

/** What is counted of a run, and can be written down as it is. */
type RunCounters = Pick<
  Run,
  | 'state'
  | 'stopReason'
  | 'succeeded'
  | 'failed'
  | 'inFlight'
  | 'attempts'
  | 'held'
  | 'copies'
  | 'lookAt'
  | 'recoveredAt'
  | 'serving'
  | 'lanes'
  | 'rateSum'
  | 'rateCount'
  | 'usualRate'
  | 'turnUsed'
>;

export interface RunDump {
  readonly plan: Omit<RunPlan, 'deadlineMs' | 'inputCuts'> & {
    readonly deadlineMs: DumpedNumber;
    readonly inputCuts?: readonly number[];
  };
  readonly submittedAt: number;
  readonly counters: RunCounters;
  readonly resultBytes: DumpedNumber;
  readonly next: number;
  readonly cutsPassed: number;
  readonly retryTasks: number;
  readonly committed: readonly Range[];
  readonly retries: readonly RetryChunk[];
  readonly suspects: readonly RetryChunk[];
  readonly shares: readonly ShareDump[];
  readonly queue?: QueueDump;
}

const retryHeap = (): MinHeap<RetryChunk> => new MinHeap((chunk) => chunk.notBefore);

export class Run {
  readonly plan: RunPlan;
  readonly submittedAt: number;
  readonly deadlineAt: number;
  readonly committed = new RangeSet();
  readonly shares = new Map<string, Share>();
  readonly retries = retryHeap();
  readonly suspects = retryHeap();
  /** Where its chunks go, if not to its nodes. */
  readonly queue: Queue | undefined;
  /** Of its random numbers, of which there are few: the same in every replay. */
  readonly seed: number;
  state: RunState = 'waiting';
  stopReason = '';
  succeeded = 0;
  failed = 0;
  inFlight = 0;
  /** Attempts ever made, and those that are held now. */
  attempts = 0;
  held = 0;
  /** Attempts that are held in two places. */
  copies = 0;
  /** When a coordinator last took its books over; 0 for never. */
  recoveredAt = 0;
  /** When to look for chunks to copy; 0 while there is no reason to. */
  lookAt = 0;
  /** Bytes of all results so far. */
  resultBytes = 0;
  /** Sums over the shares that serve: how many, their lanes, known rates, and how many are known. */
  serving = 0;
  lanes = 0;
  rateSum = 0;
  rateCount = 0;
  /** Tasks per ms and lane, over all nodes there were, smoothed; 0 while unknown. */
  usualRate = 0;
  /** Cores' worth of chunks handed out in its present turn. */
  turnUsed = 0;
  #next = 0;
  /** Where the part of the input ends that `#next` is in, and how many cuts there are up to there. */
  #partEnd: number;
  #cutsPassed = 0;
  #retryTasks = 0;

  constructor(plan: RunPlan, now: number) {
    this.plan = plan;
    this.submittedAt = now;
    this.deadlineAt = plan.deadlineMs > 0 ? now + plan.deadlineMs : Number.POSITIVE_INFINITY;
    this.#partEnd = this.#nextPartEnd();
    this.queue = plan.queued === true ? new Queue(this) : undefined;
    this.seed = seedOf(plan.runId);
  }

  get id(): string {
    return this.plan.runId;
  }

  get active(): boolean {
    return this.state === 'waiting' || this.state === 'running';
  }

  /** Tasks that nobody holds. */
  get pending(): number {
    return this.plan.tasks - this.#next + this.#retryTasks;
  }

  /** The first task that was never handed out. */
  get next(): number {
    return this.#next;
  }

  /** When something can be handed out: now, later, or never. */
  workAt(now: number): number {
    if (this.#next < this.plan.tasks) return now;
    return Math.min(dueAt(this.retries), dueAt(this.suspects));
  }

  /** Who is handed its chunks. */
  takers(): Iterable<Taker> {
    return this.queue === undefined ? this.shares.values() : [this.queue];
  }

  *attemptsHeld(): Iterable<Attempt> {
    for (const { holder } of this.takers()) {
      for (const attempt of holder.attempts.values()) {
        // Not at its second place again.
        if (attempt.run === this && attempt.taker.holder === holder) yield attempt;
      }
    }
  }

  /** What is to be handed out there next; nothing while it holds a suspect, or has to let go for one. */
  workFor(taker: Taker, now: number): Work | undefined {
    if (!taker.serves || taker.alone) return undefined;
    const usual = this.#next < this.plan.tasks || dueAt(this.retries) <= now ? 'usual' : undefined;
    if (dueAt(this.suspects) > now) return usual;
    // One of them lets go of all else for the suspects' sake, so that they need not wait for the end of the run.
    if (usual !== undefined && taker !== this.#firstServing()) return usual;
    return taker.attempts === 0 ? 'suspect' : undefined;
  }

  /** Takes up to `size` tasks. What was tried before goes first: it is what the run may end up waiting for. */
  take(size: number, now: number): Chunk {
    if (dueAt(this.retries) <= now) return this.#takeRetry(this.retries, size);
    const from = this.#next;
    assert(from < this.plan.tasks, 'took from a run with nothing to hand out');
    this.#next = Math.min(this.#partEnd, from + size);
    if (this.#next === this.#partEnd) this.#partEnd = this.#nextPartEnd();
    return { from, to: this.#next, attempt: 1, failures: 0, nodeLosses: 0, alone: false };
  }

  takeSuspect(): Chunk {
    return this.#takeRetry(this.suspects, 1);
  }

  #takeRetry(heap: MinHeap<RetryChunk>, size: number): Chunk {
    const whole = heap.pop();
    assert(whole !== undefined, 'took from a run with nothing to try again');
    const { notBefore, ...chunk } = whole;
    const to = Math.min(chunk.to, chunk.from + size);
    if (to < chunk.to) heap.push({ ...whole, from: to });
    this.#retryTasks -= to - chunk.from;
    return { ...chunk, to };
  }

  /** Cuts are passed in their order, one at a time: a search for each chunk would cost more than the chunk. */
  #nextPartEnd(): number {
    return this.plan.inputCuts?.[this.#cutsPassed++] ?? this.plan.tasks;
  }

  dump(): RunDump {
    const { deadlineMs, inputCuts, ...plan } = this.plan;
    const cuts = inputCuts === undefined ? {} : { inputCuts: Array.from(inputCuts) };
    const { state, stopReason, succeeded, failed, inFlight, attempts, held } = this;
    const { copies, lookAt, recoveredAt, serving, lanes, rateSum, rateCount, usualRate, turnUsed } = this;
    const counts = { state, stopReason, succeeded, failed, inFlight, attempts, held, copies, lookAt, recoveredAt };
    return {
      plan: { ...plan, deadlineMs: dumpNumber(deadlineMs), ...cuts },
      submittedAt: this.submittedAt,
      counters: { ...counts, serving, lanes, rateSum, rateCount, usualRate, turnUsed },
      resultBytes: dumpNumber(this.resultBytes),
      next: this.#next,
      cutsPassed: this.#cutsPassed,
      retryTasks: this.#retryTasks,
      committed: this.committed.ranges.map(({ from, to }) => ({ from, to })),
      retries: [...this.retries.items()],
      suspects: [...this.suspects.items()],
      shares: Array.from(this.shares.values(), dumpShare),
      ...(this.queue === undefined ? {} : { queue: this.queue.dump() }),
    };
  }

  /** Without the attempts that nodes hold. */
  static load(dump: RunDump, nodes: ReadonlyMap<string, Node>): Run {
    const { deadlineMs, ...plan } = dump.plan;
    const run = new Run({ ...plan, deadlineMs: loadNumber(deadlineMs) }, dump.submittedAt);
    Object.assign(run, dump.counters);
    run.resultBytes = loadNumber(dump.resultBytes);
    run.#next = dump.next;
    // The end of the part that it was in is read once more.
    run.#cutsPassed = dump.cutsPassed - 1;
    run.#partEnd = run.#nextPartEnd();
    run.#retryTasks = dump.retryTasks;
    for (const { from, to } of dump.committed) run.committed.add(from, to);
    // Pushed in a heap's own order, each chunk stays where it is put.
    for (const chunk of dump.retries) run.retries.push(chunk);
    for (const chunk of dump.suspects) run.suspects.push(chunk);
    for (const share of dump.shares) run.shares.set(share.nodeId, loadShare(share, nodes));
    if (dump.queue !== undefined) run.queue?.load(dump.queue);
    return run;
  }

  #firstServing(): Taker | undefined {
    for (const taker of this.takers()) if (taker.serves) return taker;
    return undefined;
  }

  /** Puts back what was taken. */
  putBack(chunk: RetryChunk): void {
    assert(!chunk.alone || lengthOf(chunk) === 1, 'a suspect is one task');
    (chunk.alone ? this.suspects : this.retries).push(chunk);
    this.#retryTasks += lengthOf(chunk);
  }

  /** Ends tasks for good; `failed` of them without a result. I2: none of them had ended before. */
  commit(from: number, to: number, failed: number): void {
    const before = this.committed.size;
    this.committed.add(from, to);
    const fresh = this.committed.size - before;
    if (fresh !== to - from || fresh === 0) throw new InvariantError(`tasks ${from}..${to} committed twice (I2)`);
    this.failed += failed;
    this.succeeded += to - from - failed;
  }

  move(trigger: Parameters<typeof nextRunState>[1]): void {
    this.state = nextRunState(this.state, trigger);
  }

  counts(): RunCounts {
    const { succeeded, failed, inFlight } = this;
    const ended = this.state === 'cancelled';
    const pending = ended ? 0 : this.pending;
    const cancelled = ended ? this.pending + inFlight : 0;
    return { tasks: this.plan.tasks, succeeded, failed, cancelled, inFlight: ended ? 0 : inFlight, pending };
  }

  /** I3. Asserted in every step that touches the run, so the text is made only where it is needed. */
  assertConservation(): void {
    const { tasks, succeeded, failed, cancelled, inFlight, pending } = this.counts();
    if (tasks !== succeeded + failed + cancelled + inFlight + pending) {
      const parts = [succeeded, failed, cancelled, inFlight, pending].join(' + ');
      throw new InvariantError(`run ${this.id}: ${tasks} tasks, but ${parts} (I3)`);
    }
    if (this.committed.size !== succeeded + failed) {
      throw new InvariantError(`run ${this.id}: commits and counts differ (I2)`);
    }
  }
}

const dueAt = (heap: MinHeap<RetryChunk>): number => heap.peek()?.notBefore ?? Number.POSITIVE_INFINITY;

function seedOf(text: string): number {
  let seed = 0;
  for (let i = 0; i < text.length; i++) seed = mixSeed(seed, text.charCodeAt(i));
  return seed;
}
