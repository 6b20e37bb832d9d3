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
import { assert } from '@regatta/kernel';
import { unpack } from '@regatta/workloads';
import { Journal } from './journal.ts';
import type { LaneWork } from './lanes.ts';
import { limits } from './limits.ts';
import { runTask } from './task.ts';
import type { Thread } from './thread.ts';

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
