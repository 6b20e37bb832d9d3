/**
 * One lane working through one chunk: its tasks one after another, in order, each succeeding or failing alone.
 *
 * - L1: what is done is sent before a task begins if the last news is older than `newsMs`, or much has gathered: a
 *   task that kills its host takes little finished work with it, and a long chunk shows progress.
 * - L2: a task that returns no promise is not awaited: at a million short tasks a second, a microtask each would be
 *   most of the cost.
 * - L3: between tasks the event loop gets a turn every `yieldMs`, so that cancellation and other lanes are heard.
 * - L4: a task of a polite run begins with a permit for its target, and gives it back when it has settled. To wait for one
 *   is no time of the task.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { assert, messageOf, stackOf } from '@regatta/kernel';
import { decodeInPlace, Packer, type TaskContext, unpack, type Workload } from '@regatta/workloads';
import type { Outlet } from './lanes.ts';
import { type Beginner, begins } from './late.ts';
import { limits } from './limits.ts';
import type { HostChunk, HostFailure, HostRun } from './messages.ts';
import type { Permits } from './permits.ts';
import type { Thread } from './thread.ts';

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
  /** For polite runs. */
  readonly permits?: Permits;
}

/** Works through the chunk and emits news; the last has an `end`. Never rejects because of a task. */
export async function workThrough(work: LaneWork, thread: Thread): Promise<void> {
  thread.enter();
  try {
    await workThroughTasks(work, thread);
  } finally {
    thread.leave();
  }
}

async function workThroughTasks(work: LaneWork, thread: Thread): Promise<void> {
  const { run, chunk, cancelled, outlet } = work;
  const journal = new Journal(work, thread);
  const inputs = chunk.inputs.byteLength > 0 ? unpack(chunk.inputs) : undefined;
  let yieldedAt = performance.now();
  for (let task = chunk.from; task < chunk.to; task++) {
    const now = performance.now();
    if (now - yieldedAt >= limits.yieldMs) {
      thread.stall?.sawBlock(now - yieldedAt);
      await turn();
      yieldedAt = performance.now();
    }
    if (cancelled.aborted) return journal.send('stopped');
    if (journal.isDue(now)) {
      await lateFailures();
      journal.send('open');
      yieldedAt = performance.now();
    }
    const target = run.polite === true ? targetOf(work, task, inputs?.[task - chunk.from], journal) : undefined;
    if (target === TARGET_FAILED) continue;
    if (target !== undefined) yieldedAt = await permission(work, target, journal);
    if (outlet.flushed() !== undefined) yieldedAt = await allSent(work);
    // Who spoke last is who holds the thread: so no other lane speaks until the task has given it back. And the word
    // must be out before the task blocks it: right behind large results even a short one may have to wait.
    const leaveFloor = run.taskTimeoutMs > 0 ? await thread.takeFloor() : undefined;
    if (leaveFloor !== undefined && !cancelled.aborted) {
      journal.send('open');
      yieldedAt = await allSent(work);
    }
    if (cancelled.aborted) {
      leaveFloor?.();
      if (target !== undefined) work.permits!.done(chunk.attemptId, 0);
      return journal.send('stopped');
    }
    const awaited = runTask(work, task, inputs?.[task - chunk.from], journal);
    leaveFloor?.();
    if (awaited !== undefined) {
      await awaited;
      yieldedAt = performance.now();
    }
    if (target !== undefined) work.permits!.done(chunk.attemptId, journal.lastRetryAfterMs);
    // The task may have been cut short by the order to stop: its failure is not its own.
    if (cancelled.aborted && journal.lastFailed) return journal.send('stopped', true);
  }
  thread.stall?.sawBlock(performance.now() - yieldedAt);
  await lateFailures();
  journal.send('completed');
}

/** Waits until all news is on its way and more may be made, or the attempt is to stop. @returns the time then */
async function allSent({ outlet, cancelled }: LaneWork): Promise<number> {
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  cancelled.addEventListener('abort', stop, { once: true });
  for (let sending = outlet.flushed(); sending !== undefined && !cancelled.aborted; sending = outlet.flushed()) {
    await Promise.race([sending, stopped.promise]);
  }
  cancelled.removeEventListener('abort', stop);
  return performance.now();
}

/** The task has failed already, by what was to say whom it talks to. */
const TARGET_FAILED = Symbol();

/** Whom the task talks to; undefined where there is nobody to be polite to, or the task will fail before it talks. */
function targetOf(
  { workload, run }: LaneWork,
  task: number,
  input: Uint8Array | undefined,
  journal: Journal,
): string | undefined | typeof TARGET_FAILED {
  if (workload.target === undefined) return undefined;
  let value: unknown;
  try {
    if (input !== undefined) value = journal.decode(input);
  } catch {
    return undefined;
  }
  try {
    return workload.target(run.params, value, task)?.slice(0, limits.targetCharactersMax);
  } catch (thrown) {
    journal.begin();
    journal.fail(task, thrown);
    return TARGET_FAILED;
  }
}

/** Waits until the task may talk to its target, or the attempt is to stop (L4). @returns the time then */
async function permission({ chunk, cancelled, permits }: LaneWork, target: string, journal: Journal): Promise<number> {
  assert(permits !== undefined, 'a polite run where nobody gives permits');
  const given = permits.ask(chunk.attemptId, target);
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  cancelled.addEventListener('abort', stop, { once: true });
  // It may take long, and what is done need not wait for it.
  const telling = setTimeout(() => journal.sendIfAny(), limits.newsMs);
  if (!cancelled.aborted) await Promise.race([given, stopped.promise]);
  clearTimeout(telling);
  cancelled.removeEventListener('abort', stop);
  return performance.now();
}

/** What the tasks left to fail at once has failed when this resolves. */
const lateFailures = (): Promise<void> => turn();

/** Runs one task and writes its outcome down; a promise only where the task returned one. */
function runTask(
  work: LaneWork,
  task: number,
  input: Uint8Array | undefined,
  journal: Journal,
): Promise<void> | undefined {
  const { workload, run } = work;
  const context = new Context(task, work, journal);
  begins(context);
  try {
    if (input !== undefined) context.input = journal.decode(input);
  } catch (thrown) {
    journal.begin();
    journal.fail(task, thrown, 'INPUT_UNREADABLE');
    return undefined;
  }
  journal.begin();
  try {
    const value: unknown = workload.run(run.params, context);
    if (isThenable(value)) {
      journal.nowWaits();
      return settle(value, context, work, () => journal.elapsedMs()).then(
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
  { run: { taskTimeoutMs: timeoutMs }, outlet }: LaneWork,
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
  } catch (thrown) {
    // Told to stop, it may go on regardless. What it does then only the end of its process ends.
    const left = setTimeout(outlet.abandoned, limits.abandonMs);
    const heard = (): void => clearTimeout(left);
    promise.then(heard, heard);
    throw thrown;
  } finally {
    clearTimeout(timer);
    context.stop.removeEventListener('abort', onAbort);
  }
}

/** Its signal is made when a task asks for it: most never do. */
class Context implements TaskContext<unknown, unknown>, Beginner {
  readonly task: number;
  readonly attempt: number;
  readonly shared: unknown;
  readonly stop: AbortSignal;
  input: unknown;
  readonly #journal: Journal;
  #own: AbortController | undefined;
  #signal: AbortSignal | undefined;
  #reason: Error | undefined;

  constructor(task: number, { chunk, shared, cancelled }: LaneWork, journal: Journal) {
    this.task = task;
    this.attempt = chunk.attempt;
    this.shared = shared;
    this.stop = cancelled;
    this.#journal = journal;
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

  failedLate(thrown: unknown): void {
    this.#journal.failLate(this.task, thrown);
  }
}

/** What happened to the tasks since the last news. */
class Journal {
  readonly #work: LaneWork;
  readonly #thread: Thread;
  readonly #alone: boolean;
  readonly #results = new Packer();
  #from: number;
  #failures: HostFailure[] = [];
  #failureCharacters = 0;
  #wallUs: number[] = [];
  #cpuUs: number[] = [];
  #serializeMs = 0;
  #sentAt = performance.now();
  #waitMs: number;
  #beganAt = 0;
  #beganCpuUs = 0;
  #waits = false;
  /** A task is under way. */
  #working = false;
  /** What failed of what it had begun. */
  #broken: { readonly by: unknown } | undefined;
  #blockedMsBefore = 0;

  constructor(work: LaneWork, thread: Thread) {
    this.#work = work;
    this.#thread = thread;
    this.#alone = work.run.concurrency === 1;
    this.#from = work.chunk.from;
    this.#waitMs = this.#sentAt - work.receivedAt;
  }

  get lastFailed(): boolean {
    return this.#failures.at(-1)?.task === this.#from + this.#results.count - 1;
  }

  /** How long whom it talked to asked to be left alone, where the last task failed for that; otherwise 0. */
  get lastRetryAfterMs(): number {
    return (this.lastFailed && this.#failures.at(-1)?.retryAfterMs) || 0;
  }

  sendIfAny(): void {
    if (this.#results.count > 0) this.send('open');
  }

  isDue(now: number): boolean {
    if (this.#results.count === 0) return false;
    // With a time limit at once: large results must be gone before the next task is announced.
    const timed = this.#work.run.taskTimeoutMs > 0;
    const bytes = this.#results.bytes + this.#failureCharacters;
    return timed || now - this.#sentAt >= limits.newsMs || bytes >= limits.newsBytes;
  }

  decode(input: Uint8Array): unknown {
    const startedAt = performance.now();
    const value = decodeInPlace(input);
    this.#serializeMs += performance.now() - startedAt;
    return value;
  }

  begin(): void {
    this.#waits = false;
    this.#working = true;
    this.#broken = undefined;
    this.#beganAt = performance.now();
    if (this.#alone) this.#beganCpuUs = this.#thread.cpuUsAt(this.#beganAt);
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
    if (this.#broken !== undefined) return this.#note(task, 'TASK_FAILED_LATE', this.#broken.by);
    if (taskTimeoutMs > 0 && this.elapsedMs() > taskTimeoutMs) {
      this.#note(task, 'TASK_TIMED_OUT', new Error(`took longer than ${taskTimeoutMs} ms`));
      return;
    }
    try {
      const bytes = this.#results.add(value);
      if (bytes > limits.resultBytesMax) {
        this.#results.dropLast();
        this.#note(task, 'RESULT_TOO_LARGE', tooLarge(bytes));
      }
    } catch (thrown) {
      this.#note(task, 'RESULT_NOT_CLONEABLE', thrown);
    }
    // Most results are numbers: nothing that a clock would see.
    if (typeof value === 'object') this.#serializeMs += performance.now() - doneAt;
  }

  fail(task: number, thrown: unknown, code = 'TASK_THREW'): void {
    this.#time();
    this.#note(task, thrown instanceof TaskTimeout ? thrown.code : code, thrown);
  }

  /** The task's result is taken back where it is still here; where it is gone it stands, and the failure is told. */
  failLate(task: number, thrown: unknown): void {
    const index = task - this.#from;
    // It is still at work: it will not have succeeded.
    if (index === this.#results.count && this.#working) {
      this.#broken ??= { by: thrown };
      return;
    }
    if (index < 0 || index >= this.#results.count) {
      const { runId } = this.#work.run;
      return this.#work.outlet.emitLate({ runId, task, message: shortMessage(thrown), stack: shortStack(thrown) });
    }
    if (this.#failures.some((failure) => failure.task === task)) return;
    this.#results.blank(index);
    this.#failures.push(this.#failure(task, 'TASK_FAILED_LATE', thrown));
    this.#failures.sort((a, b) => a.task - b.task);
  }

  /** @param dropLast leave out the task that was just written down */
  send(kind: 'open' | 'completed' | 'stopped', dropLast = false): void {
    if (dropLast) this.#dropLast();
    const from = this.#from;
    this.#from += this.#results.count;
    const now = performance.now();
    const cpuUs = this.#thread.readCpuUs(now);
    this.#work.outlet.emit({
      attemptId: this.#work.chunk.attemptId,
      thread: threadId,
      from,
      to: this.#from,
      results: this.#results.finish(),
      failures: this.#failures,
      wallUs: Uint32Array.from(this.#wallUs),
      cpuUs: Uint32Array.from(this.#cpuUs),
      cpuMs: this.#thread.takeUnreportedCpuUs(cpuUs) / 1000,
      laneMs: now - this.#sentAt,
      waitMs: this.#waitMs,
      serializeMs: this.#serializeMs,
      end: { kind },
    });
    this.#sentAt = now;
    this.#waitMs = 0;
    this.#failures = [];
    this.#failureCharacters = 0;
    this.#wallUs = [];
    this.#cpuUs = [];
    this.#serializeMs = 0;
  }

  #time(): number {
    this.#working = false;
    const now = performance.now();
    const wallMs = now - this.#beganAt;
    if (!this.#waits) this.#thread.blockedMs += wallMs;
    this.#wallUs.push(Math.min(0xffff_ffff, Math.round(wallMs * 1000)));
    if (this.#alone) this.#cpuUs.push(Math.max(0, Math.round(this.#thread.cpuUsAt(now) - this.#beganCpuUs)));
    return now;
  }

  #note(task: number, code: string, thrown: unknown): void {
    this.#results.addNone();
    this.#failures.push(this.#failure(task, code, thrown));
  }

  #failure(task: number, code: string, thrown: unknown): HostFailure {
    // Of failures that we made ourselves the stack is ours, and tells the author of the task nothing.
    const stack = OUR_OWN.has(code) ? '' : shortStack(thrown);
    const failure = { task, code, message: shortMessage(thrown), stack, ...delayIn(thrown) };
    this.#failureCharacters += failure.message.length + failure.stack.length;
    return failure;
  }

  #dropLast(): void {
    this.#results.dropLast();
    this.#failures.pop();
    this.#wallUs.pop();
    if (this.#alone) this.#cpuUs.pop();
  }
}

const OUR_OWN: ReadonlySet<string> = new Set(['TASK_TIMED_OUT', 'RESULT_TOO_LARGE', 'INPUT_UNREADABLE']);

/** What it threw may say so, as `RetryLater` does. */
function delayIn(thrown: unknown): { readonly retryAfterMs?: number } {
  const asked = thrown instanceof Error && 'retryAfterMs' in thrown ? thrown.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 && Number.isFinite(asked) ? { retryAfterMs: asked } : {};
}

const shortMessage = (thrown: unknown): string => messageOf(thrown).slice(0, limits.messageCharactersMax);
const shortStack = (thrown: unknown): string =>
  stackOf(thrown).slice(0, limits.stackCharactersMax).split('\n').slice(0, limits.stackLinesMax).join('\n');

const tooLarge = (bytes: number): Error =>
  new Error(
    `its result is ${bytes} bytes; at most ${limits.resultBytesMax} can be sent, so return less or write it to a file`,
  );
