/** One task: given what it asks for, run, and waited for where it returned a promise, for as long as it may take. */
import type { TaskContext } from '@regatta/workloads';
import { TaskTimeout } from './failure.ts';
import type { Journal } from './journal.ts';
import type { LaneWork } from './lanes.ts';
import { type Beginner, begins } from './late.ts';
import { limits } from './limits.ts';

/** Runs one task and writes its outcome down; a promise only where the task returned one (L2 in lane.ts). */
export function runTask(
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
