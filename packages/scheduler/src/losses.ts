/** What becomes of the tasks that failed in an attempt, or that it leaves undone when it is lost. Pure. */
import { lengthOf, type Range } from '@regatta/kernel';
import { backoffMs, jitterOf } from './backoff.ts';
import type { Loss } from './events.ts';
import { limits } from './limits.ts';
import type { Stretch } from './reports.ts';
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

/** What holds for the run: how often a failed task is tried again, and the seed of its waits. */
interface Rules {
  readonly retries: number;
  readonly seed: number;
}

/** Failed tasks of the attempt are tried again once they have waited as is due, and for as long as they asked for. */
export function afterFailure(attempt: Chunk, { from, to, waitMs }: Stretch, seed: number, now: number): RetryChunk {
  const { attempt: nth, failures, nodeLosses } = attempt;
  const dueMs = Math.max(backoffMs(failures, jitterOf(seed, from, nth)), Math.ceil(waitMs));
  return { from, to, attempt: nth + 1, failures: failures + 1, nodeLosses, alone: false, notBefore: now + dueMs };
}

/** @param undone what is left of the attempt, with its past; `attempt` in it is that of the lost one */
export function judge(undone: Chunk, cause: Cause, loss: Loss, { retries, seed }: Rules, now: number): Verdict {
  const past = { ...undone, attempt: undone.attempt + 1, notBefore: now };
  const jitter = jitterOf(seed, undone.from, undone.attempt);
  if (cause === 'work') return judgeWork(past, loss, retries, jitter);
  const innocent = cause === 'let-go' && past.attempt <= limits.innocentAttemptsPerChunkMax;
  return innocent
    ? { again: [{ ...past, notBefore: now + backoffMs(0, jitter) }], givenUp: undefined }
    : judgeNode(past, cause, jitter);
}

/** Elsewhere it may go well. But a chunk that takes node after node with it is not innocent: its tasks are parted. */
function judgeNode(past: RetryChunk, cause: Exclude<Cause, 'work'>, jitter: number): Verdict {
  // A node that lets go is still there and would be handed the chunk again at once.
  const wait = cause === 'node-gone' ? 0 : backoffMs(past.nodeLosses, jitter);
  const next = { ...past, nodeLosses: past.nodeLosses + 1, notBefore: past.notBefore + wait };
  if (next.nodeLosses <= limits.nodeLossesPerChunkMax) return { again: [next], givenUp: undefined };
  if (lengthOf(next) === 1) return { again: [], givenUp: next };
  return { again: halvesOf(next), givenUp: undefined };
}

/** Tried in halves until the task that kills is alone; its neighbours are tried around it. */
function judgeWork(past: RetryChunk, loss: Loss, retries: number, jitter: number): Verdict {
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
  const notBefore = past.notBefore + backoffMs(past.failures, jitter);
  again.push({ ...guilty, failures: past.failures + 1, notBefore });
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
