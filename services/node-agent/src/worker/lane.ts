/**
 * One lane working through one chunk: its tasks one after another, in order, each succeeding or failing alone.
 *
 * - L1: what is done is sent before a task begins if the last news is older than `NEWS_MS`, or much has gathered: a task that kills its host
 *   takes little finished work with it, and a long chunk shows progress.
 * - L2: a task that returns no promise is not awaited: at a million short tasks a second, a microtask each would be
 *   most of the cost.
 * - L3: between tasks the event loop gets a turn every `YIELD_MS`, so that cancellation and other lanes are heard.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { messageOf, stackOf } from '@regatta/kernel';
import { encodeValue, pack, type TaskContext, type Workload } from '@regatta/workloads';
import type { Outlet } from './lanes.ts';
import type { HostChunk, HostFailure, HostRun } from './messages.ts';
import type { Stall } from './stall.ts';

const NEWS_MS = 50;
/** Results are sent when there are so many: frames stay far below what gRPC takes. */
const NEWS_BYTES = 1_048_576;
/** The largest result of one task: a frame holds it, with room to spare. */
const RESULT_BYTES_MAX = 32 * 1_048_576;
const YIELD_MS = 10;
const NO_RESULT = new Uint8Array(0);
const STACK_LINES_MAX = 12;

/** What lanes of one thread have in common. */
export interface Thread {
  readonly stall: Stall | undefined;
  /** Thread CPU time that has been reported, in microseconds. */
  reportedCpuUs: number;
  /** Time in which tasks held the thread, up to where they first gave it back. */
  blockedMs: number;
}

export interface LaneWork {
  readonly workload: Workload;
  readonly run: HostRun;
  readonly chunk: HostChunk;
  /** When this process got the chunk, on its own clock. */
  readonly receivedAt: number;
  readonly shared: unknown;
  /** Fires when the attempt is to stop. */
  readonly cancelled: AbortSignal;
  readonly outlet: Outlet;
}

/** Works through the chunk and emits news; the last has an `end`. Never rejects because of a task. */
export async function workThrough(work: LaneWork, thread: Thread): Promise<void> {
  const { run, chunk, cancelled, outlet } = work;
  const journal = new Journal(work, thread);
  let yieldedAt = performance.now();
  for (let task = chunk.from; task < chunk.to; task++) {
    const now = performance.now();
    if (now - yieldedAt >= YIELD_MS) {
      thread.stall?.sawBlock(now - yieldedAt);
      await turn();
      yieldedAt = performance.now();
    }
    if (cancelled.aborted) return journal.send('stopped');
    if (journal.isDue(now)) journal.send('open');
    for (let sending = outlet.flushed(); sending !== undefined; sending = outlet.flushed()) {
      await sending;
      yieldedAt = performance.now();
    }
    // With nothing in between: who spoke last is who holds the thread.
    if (run.taskTimeoutMs > 0) journal.send('open');
    const awaited = runTask(work, task, journal);
    if (awaited !== undefined) {
      await awaited;
      yieldedAt = performance.now();
    }
    // The task may have been cut short by the order to stop: its failure is not its own.
    if (cancelled.aborted && journal.lastFailed) return journal.send('stopped', true);
  }
  thread.stall?.sawBlock(performance.now() - yieldedAt);
  journal.send('completed');
}

/** Runs one task and writes its outcome down; a promise only where the task returned one. */
function runTask(work: LaneWork, task: number, journal: Journal): Promise<void> | undefined {
  const { workload, run, chunk, shared, cancelled } = work;
  const context = new Context(task, chunk.attempt, shared, cancelled);
  journal.begin();
  try {
    const value: unknown = workload.run(run.params, context);
    if (isThenable(value)) {
      journal.nowWaits();
      return settle(value, context, run.taskTimeoutMs, () => journal.elapsedMs()).then(
        (settled) => journal.succeed(task, settled),
        (thrown) => journal.fail(task, thrown),
      );
    }
    journal.succeed(task, value);
  } catch (thrown) {
    journal.fail(task, thrown);
  }
  return undefined;
}

const isThenable = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

class TaskTimeout extends Error {
  readonly code = 'TASK_TIMED_OUT';
}

/** @param elapsedMs the task's own time so far: while other lanes block the thread, its clock stands still */
async function settle(
  promise: Promise<unknown>,
  context: Context,
  timeoutMs: number,
  elapsedMs: () => number,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const cancelled = Promise.withResolvers<never>();
  cancelled.promise.catch(() => {});
  const onAbort = (): void => cancelled.reject(new Error('the run was stopped'));
  context.stop.addEventListener('abort', onAbort, { once: true });
  if (timeoutMs > 0) {
    const check = (): void => {
      const leftMs = timeoutMs - elapsedMs();
      if (leftMs > 0) {
        timer = setTimeout(check, Math.ceil(leftMs));
        return;
      }
      const timeout = new TaskTimeout(`took longer than ${timeoutMs} ms`);
      context.abort(timeout);
      cancelled.reject(timeout);
    };
    timer = setTimeout(check, Math.max(0, timeoutMs - elapsedMs()));
  }
  try {
    return await Promise.race([promise, cancelled.promise]);
  } finally {
    clearTimeout(timer);
    context.stop.removeEventListener('abort', onAbort);
  }
}

/** Its signal is made when a task asks for it: most never do. */
class Context implements TaskContext<unknown> {
  readonly task: number;
  readonly attempt: number;
  readonly shared: unknown;
  readonly stop: AbortSignal;
  #own: AbortController | undefined;
  #signal: AbortSignal | undefined;
  #reason: Error | undefined;

  constructor(task: number, attempt: number, shared: unknown, stop: AbortSignal) {
    this.task = task;
    this.attempt = attempt;
    this.shared = shared;
    this.stop = stop;
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#own = new AbortController();
      if (this.#reason !== undefined) this.#own.abort(this.#reason);
      this.#signal = AbortSignal.any([this.stop, this.#own.signal]);
    }
    return this.#signal;
  }

  abort(reason: Error): void {
    this.#reason = reason;
    this.#own?.abort(reason);
  }
}

/** What happened to the tasks since the last news. */
class Journal {
  readonly #work: LaneWork;
  readonly #thread: Thread;
  readonly #alone: boolean;
  #from: number;
  #results: Uint8Array[] = [];
  #bytes = 0;
  #failures: HostFailure[] = [];
  #wallUs: number[] = [];
  #cpuUs: number[] = [];
  #serializeMs = 0;
  #sentAt = performance.now();
  #waitMs: number;
  #beganAt = 0;
  #beganCpuUs = 0;
  #waits = false;
  #blockedMsBefore = 0;

  constructor(work: LaneWork, thread: Thread) {
    this.#work = work;
    this.#thread = thread;
    this.#alone = work.run.concurrency === 1;
    this.#from = work.chunk.from;
    this.#waitMs = this.#sentAt - work.receivedAt;
  }

  get lastFailed(): boolean {
    return this.#failures.at(-1)?.task === this.#from + this.#results.length - 1;
  }

  isDue(now: number): boolean {
    if (this.#results.length === 0) return false;
    // With a time limit at once: large results must be gone before the next task is announced.
    const timed = this.#work.run.taskTimeoutMs > 0;
    return timed || now - this.#sentAt >= NEWS_MS || this.#bytes >= NEWS_BYTES;
  }

  begin(): void {
    if (this.#alone) this.#beganCpuUs = threadCpuUs();
    this.#waits = false;
    this.#beganAt = performance.now();
  }

  /** The task has given the thread back; from now on it is others that may block it. */
  nowWaits(): void {
    this.#thread.blockedMs += performance.now() - this.#beganAt;
    this.#blockedMsBefore = this.#thread.blockedMs;
    this.#waits = true;
  }

  /** The task's own time: without that in which other lanes of its thread began tasks and did not let it go on. */
  elapsedMs(): number {
    const byOthers = this.#waits ? this.#thread.blockedMs - this.#blockedMsBefore : 0;
    return performance.now() - this.#beganAt - byOthers;
  }

  succeed(task: number, value: unknown): void {
    const doneAt = this.#time();
    const { taskTimeoutMs } = this.#work.run;
    if (taskTimeoutMs > 0 && this.elapsedMs() > taskTimeoutMs) {
      this.#note(task, 'TASK_TIMED_OUT', new Error(`took longer than ${taskTimeoutMs} ms`));
      return;
    }
    try {
      const encoded = encodeValue(value);
      if (encoded.byteLength > RESULT_BYTES_MAX) this.#note(task, 'RESULT_TOO_LARGE', tooLarge(encoded.byteLength));
      else this.#keep(encoded);
    } catch (thrown) {
      this.#note(task, 'RESULT_NOT_CLONEABLE', thrown);
    }
    this.#serializeMs += performance.now() - doneAt;
  }

  fail(task: number, thrown: unknown): void {
    this.#time();
    this.#note(task, thrown instanceof TaskTimeout ? thrown.code : 'TASK_THREW', thrown);
  }

  /** @param dropLast leave out the task that was just written down */
  send(kind: 'open' | 'completed' | 'stopped', dropLast = false): void {
    if (dropLast) this.#dropLast();
    const packingAt = performance.now();
    const results = pack(this.#results);
    const now = performance.now();
    const from = this.#from;
    this.#from += this.#results.length;
    const cpuUs = threadCpuUs();
    this.#work.outlet.emit({
      attemptId: this.#work.chunk.attemptId,
      thread: threadId,
      from,
      to: this.#from,
      results,
      failures: this.#failures,
      wallUs: Uint32Array.from(this.#wallUs),
      cpuUs: Uint32Array.from(this.#cpuUs),
      cpuMs: (cpuUs - this.#thread.reportedCpuUs) / 1000,
      laneMs: now - this.#sentAt,
      waitMs: this.#waitMs,
      serializeMs: this.#serializeMs + now - packingAt,
      end: { kind },
    });
    this.#thread.reportedCpuUs = cpuUs;
    this.#sentAt = now;
    this.#waitMs = 0;
    this.#results = [];
    this.#bytes = 0;
    this.#failures = [];
    this.#wallUs = [];
    this.#cpuUs = [];
    this.#serializeMs = 0;
  }

  #time(): number {
    const now = performance.now();
    const wallMs = now - this.#beganAt;
    if (!this.#waits) this.#thread.blockedMs += wallMs;
    this.#wallUs.push(Math.min(0xffff_ffff, Math.round(wallMs * 1000)));
    if (this.#alone) this.#cpuUs.push(Math.max(0, threadCpuUs() - this.#beganCpuUs));
    return now;
  }

  #keep(encoded: Uint8Array): void {
    this.#results.push(encoded);
    this.#bytes += encoded.byteLength;
  }

  #note(task: number, code: string, thrown: unknown): void {
    this.#results.push(NO_RESULT);
    const lines = stackOf(thrown).split('\n').slice(0, STACK_LINES_MAX).join('\n');
    this.#failures.push({ task, code, message: messageOf(thrown), stack: lines });
  }

  #dropLast(): void {
    this.#results.pop();
    this.#failures.pop();
    this.#wallUs.pop();
    if (this.#alone) this.#cpuUs.pop();
  }
}

const tooLarge = (bytes: number): Error =>
  new Error(
    `its result is ${bytes} bytes; at most ${RESULT_BYTES_MAX} can be sent, so return less or write it to a file`,
  );

function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** A thread's state before its first chunk. */
export const newThread = (stall?: Stall): Thread => ({ stall, reportedCpuUs: threadCpuUs(), blockedMs: 0 });
