/**
 * What fails when nobody waits for it any more: a promise that a task left floating, a timer that it set. Left alone it
 * would end the process, and with it the work of other tasks. Node carries the async context of whoever began it, so
 * it is laid at the door of the task that did.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { stackOf } from '@regatta/kernel';

/** A task, as far as blame goes. */
export interface Beginner {
  failedLate(thrown: unknown): void;
}

const beginners = new AsyncLocalStorage<Beginner>();

/** From here on, what is begun is begun by this task. */
export const begins = (task: Beginner): void => beginners.enterWith(task);

/** Takes the process's (or thread's) late failures. One that no task began still ends it, as it would have. */
export function catchLateFailures(): void {
  const blame = (thrown: unknown): void => {
    const task = beginners.getStore();
    if (task !== undefined) return task.failedLate(thrown);
    process.stderr.write(`${stackOf(thrown) || String(thrown)}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', blame);
  process.on('unhandledRejection', blame);
}
