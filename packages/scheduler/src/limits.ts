/** Every bound the scheduler keeps to (I6), units in the names. */
import { assert } from '@regatta/kernel';
import type { RunPlan } from './events.ts';

export const limits = {
  tasksPerRunMax: 1_000_000_000,
  runsActiveMax: 10_000,
  retriesPerTaskMax: 100,
  /**
   * How often a chunk may be lost with its node before its tasks are suspected: from then on each loss halves it, and a
   * task that is alone is given up.
   */
  nodeLossesPerChunkMax: 5,
  /** How often a chunk may be let go of for others' sake before that counts as a loss of its own. */
  innocentAttemptsPerChunkMax: 1_000,
  chunkTasksMax: 65_536,
  /** A chunk of more result bytes than this is cut: frames stay well below what a gRPC peer accepts. */
  chunkBytesMax: 1_048_576,
  /** How long an `awf` chunk should last: enough to hide a dispatch of about 1 ms, little enough to balance the end. */
  chunkTargetMs: 50,
  /** First `awf` chunks, while nothing is known of the tasks. */
  chunkProbeTasksMax: 16,
  /** A node holds enough waiting chunks to stay busy for this long while an order is on its way. */
  prefetchTargetMs: 10,
  prefetchPerLaneMax: 64,
  retryBackoffMsMin: 50,
  retryBackoffMsMax: 5_000,
  /** How long a failed task may ask to be left alone, at most: longer, and the run would look stuck. */
  retryAfterMsMax: 3_600_000,
  /** Time with a node after which a chunk may be given to a second one: below, to wait costs less than to do it twice. */
  copyAfterMsMin: 1_000,
  /** How many times as long as expected it has to have taken by then. */
  copySlowness: 2,
  /** Copies of a run at one time; one may always be. */
  copiesPerLane: 0.1,
  /** How often one attempt may be given a second place, where one of them is lost. */
  copiesPerAttemptMax: 3,
  /** After a takeover nodes come back first: what is given to one before that goes nowhere. */
  copyAfterTakeoverMs: 6_000,
  /** Between two looks for chunks to copy; or a part of the run's age, where that is more. */
  copyLookMs: 500,
  copyLookPart: 0.05,
  lanesPerNodeMax: 65_536,
  /** Alarms of runs that have ended, kept until they are swept out. */
  alarmsStaleMax: 1_000,
  /** Time with a node after which an explanation says what can be done about tasks that hang. */
  hangsMs: 30_000,
  /** Nodes that an explanation names before it only counts them. */
  nodesExplainedMax: 5,
} as const;

/** Whoever admits a plan has checked it and told its author; here a bad one is a bug. Costs O(cuts of its input). */
export function assertWithinLimits(plan: RunPlan): void {
  const { tasks, nodes, chunk, retries, deadlineMs, inputCuts = [], speculate, queued } = plan;
  assert(tasks >= 1, 'a run has at least one task');
  assert(tasks <= limits.tasksPerRunMax, 'a run has at most tasksPerRunMax tasks');
  assert(retries <= limits.retriesPerTaskMax, 'a task is tried again at most retriesPerTaskMax times');
  for (const count of [tasks, nodes, chunk, retries]) {
    assert(Number.isSafeInteger(count) && count >= 0, `a plan counts in whole numbers, not ${count}`);
  }
  assert(
    speculate !== true || queued !== true,
    'who does a chunk of a queue is not known, so nobody can be given it too',
  );
  assert(deadlineMs >= 0, 'a deadline is not before the submission');
  let before = 0;
  for (let i = 0; i < inputCuts.length; i++) {
    const cut = inputCuts[i]!;
    assert(Number.isSafeInteger(cut) && cut > before && cut < tasks, 'cuts ascend, from the second task to the last');
    before = cut;
  }
}
