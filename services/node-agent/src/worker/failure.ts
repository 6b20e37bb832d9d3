/** What is told of a task that failed: as much as is of use to its author, and no more than a message may hold. */
import { messageOf, stackOf } from '@regatta/kernel';
import { limits } from './limits.ts';
import type { HostFailure } from './messages.ts';

/** It took longer than a task of its run may. */
export class TaskTimeout extends Error {
  readonly code = 'TASK_TIMED_OUT';
}

const OUR_OWN: ReadonlySet<string> = new Set(['TASK_TIMED_OUT', 'RESULT_TOO_LARGE', 'INPUT_UNREADABLE']);

export function failureOf(task: number, code: string, thrown: unknown): HostFailure {
  // Of failures that we made ourselves the stack is ours, and tells the author of the task nothing.
  const stack = OUR_OWN.has(code) ? '' : shortStack(thrown);
  return { task, code, message: shortMessage(thrown), stack, ...delayIn(thrown) };
}

/** What it threw may say so, as `RetryLater` does. */
function delayIn(thrown: unknown): { readonly retryAfterMs?: number } {
  const asked = thrown instanceof Error && 'retryAfterMs' in thrown ? thrown.retryAfterMs : 0;
  return typeof asked === 'number' && asked > 0 && Number.isFinite(asked) ? { retryAfterMs: asked } : {};
}

export const shortMessage = (thrown: unknown): string => messageOf(thrown).slice(0, limits.messageCharactersMax);
export const shortStack = (thrown: unknown): string =>
  stackOf(thrown).slice(0, limits.stackCharactersMax).split('\n').slice(0, limits.stackLinesMax).join('\n');

export const tooLarge = (bytes: number): Error =>
  new Error(
    `its result is ${bytes} bytes; at most ${limits.resultBytesMax} can be sent, so return less or write it to a file`,
  );
