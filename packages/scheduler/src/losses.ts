/** What becomes of the tasks that an attempt leaves undone when it is lost. Pure. */
import { lengthOf, type Range } from '@regatta/kernel';
import type { Loss } from './events.ts';
import { limits } from './limits.ts';
import type { Chunk, RetryChunk } from './run.ts';

/**
 * Why it was lost: its node is gone; its node ended it with tasks left out; its node let go of it for another's sake
 * (the host process that they shared was killed); or something died of the work itself.
 */
export type Cause = 'node-gone' | 'left-out' | 'let-go' | 'work';

export interface Verdict {
  readonly again: readonly RetryChunk[];
  /** Tasks that have been tried often enough. */
  readonly givenUp: Range | undefined;
}

// Far past the longest wait, far from the end of an integer.
const BACKOFF_DOUBLINGS_MAX = 16;

/** How long a task waits before it is tried again, after it failed `failures` times before this one. */
export const backoffMs = (failures: number): number =>
  Math.min(limits.retryBackoffMsMax, limits.retryBackoffMsMin * (1 << Math.min(failures, BACKOFF_DOUBLINGS_MAX)));

/** @param undone what is left of the attempt, with its past; `attempt` in it is that of the lost one */
export function judge(undone: Chunk, cause: Cause, loss: Loss, retries: number, now: number): Verdict {
  const past = { ...undone, attempt: undone.attempt + 1, notBefore: now };
  if (cause === 'work') return judgeWork(past, loss, retries);
  const innocent = cause === 'let-go' && past.attempt <= limits.innocentAttemptsPerChunkMax;
  return innocent
    ? { again: [{ ...past, notBefore: now + backoffMs(0) }], givenUp: undefined }
    : judgeNode(past, cause);
}

/** Elsewhere it may go well. But a chunk that takes node after node with it is not innocent: its tasks are parted. */
function judgeNode(past: RetryChunk, cause: Exclude<Cause, 'work'>): Verdict {
  // A node that lets go is still there and would be handed the chunk again at once.
  const wait = cause === 'node-gone' ? 0 : backoffMs(past.nodeLosses);
  const next = { ...past, nodeLosses: past.nodeLosses + 1, notBefore: past.notBefore + wait };
  if (next.nodeLosses <= limits.nodeLossesPerChunkMax) return { again: [next], givenUp: undefined };
  if (lengthOf(next) === 1) return { again: [], givenUp: next };
  return { again: halvesOf(next), givenUp: undefined };
}

/** Tried in halves until the task that kills is alone; its neighbours are tried around it. */
function judgeWork(past: RetryChunk, loss: Loss, retries: number): Verdict {
  const culprit = culpritIn(past, loss.culprit);
  if (culprit === undefined && lengthOf(past) > 1) return { again: halvesOf(past), givenUp: undefined };
  // One task, but other lanes share its host process, and any of them may have killed it.
  if (culprit === undefined && !past.alone) return { again: [{ ...past, alone: true }], givenUp: undefined };
  const from = culprit ?? past.from;
  const guilty = { ...past, from, to: from + 1 };
  const again: RetryChunk[] = [];
  if (past.from < from) again.push({ ...past, to: from });
  if (from + 1 < past.to) again.push({ ...past, from: from + 1 });
  if (past.failures >= retries) return { again, givenUp: guilty };
  again.push({ ...guilty, failures: past.failures + 1, notBefore: past.notBefore + backoffMs(past.failures) });
  return { again, givenUp: undefined };
}

/** A node names the culprit: it is believed only where it is one of the tasks. */
function culpritIn({ from, to }: Range, named: number | undefined): number | undefined {
  if (named === undefined || !Number.isSafeInteger(named)) return undefined;
  return named >= from && named < to ? named : undefined;
}

function halvesOf(chunk: RetryChunk): RetryChunk[] {
  const middle = chunk.from + Math.ceil(lengthOf(chunk) / 2);
  return [
    { ...chunk, to: middle },
    { ...chunk, from: middle },
  ];
}
