/** How long to wait before a try that follows on one that went wrong. Pure. */
import { mixSeed } from '@regatta/kernel';
import { limits } from './limits.ts';

// Far past the longest wait, far from the end of an integer.
const DOUBLINGS_MAX = 16;

/**
 * The wait after something went wrong `times` times before this one, in whole ms: doubled each time up to a limit, of
 * which the first half is fixed and the other as `jitter` says, so that what failed together is not tried again together
 * ("equal jitter": Brooker, "Exponential Backoff And Jitter", AWS 2015).
 * @param jitter from 0 to 1
 */
export function backoffMs(times: number, jitter: number): number {
  const longest = Math.min(limits.retryBackoffMsMax, limits.retryBackoffMsMin * (1 << Math.min(times, DOUBLINGS_MAX)));
  // Whole ms, so that many waits that begin together end together in few ticks.
  return longest / 2 + Math.floor(jitter * (longest / 2 + 1));
}

/** From 0 up to 1, uniformly: the same for the same try in every replay. */
export const jitterOf = (runSeed: number, task: number, attempt: number): number =>
  (mixSeed(runSeed, task, attempt) >>> 0) / 0x1_0000_0000;
