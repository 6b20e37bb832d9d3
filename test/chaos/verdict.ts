/**
 * What is wrong with what came of the runs. Pure.
 *
 * - V1: submitted = succeeded + failed + cancelled; each task that succeeded has one result, the right one; tasks fail
 *   that have to, of what they have to, and no others: test/soak/verdict.ts says all that.
 * - V2: what was said of a run is never taken back: its counts only grow, and its end is its end.
 * - V3: a run that was acknowledged is known for ever, and as it ended; one that nobody was told of may be there only
 *   where a submission was left without an answer, and adds up as any other.
 */
import { limits as schedulerLimits } from '@regatta/scheduler';
import { hasEnded, type RunView } from '../../services/coordinator/src/cli/views.ts';
import type { Job } from '../soak/job.ts';
import { verdictOf } from '../soak/verdict.ts';

/** What was seen of a run. */
export interface Seen {
  readonly job: Job;
  /** Its end. */
  readonly run: RunView;
  readonly values: ReadonlyMap<number, unknown>;
  /** Tasks with a second result. */
  readonly doubled: readonly number[];
  /** How often something befell the cluster while it lasted. */
  readonly falls: number;
}

export interface Verdict {
  readonly wrong: readonly string[];
  /** Failures that what befell the cluster explains. */
  readonly allowed: readonly string[];
}

/** V1. */
export function verdictOfRun({ job, run, values, doubled, falls }: Seen): Verdict {
  const circumstances = { values, doubled, hostKills: 0, agentFaults: falls };
  const { wrong, allowed } = verdictOf(job, run, circumstances);
  const lost = falls > schedulerLimits.nodeLossesPerChunkMax;
  const others = run.failures
    .filter(({ task, code }) => job.poisoned.has(task) && !job.codes.includes(code) && !(lost && code === 'NODE_LOST'))
    .map(({ task, code }) => `${run.runId} (${job.kind}): the poisoned task ${task} failed of ${code}`);
  return { wrong: [...wrong, ...others], allowed };
}

/** V2. @returns what was taken back from one view of a run to the next */
export function takenBack(before: RunView, after: RunView): string | undefined {
  const less = (['succeeded', 'failed', 'cancelled'] as const).find((count) => after[count] < before[count]);
  if (less !== undefined) return `${after.runId} had ${before[less]} ${less}, and then ${after[less]}`;
  if (hasEnded(before) && after.state !== before.state)
    return `${after.runId} was ${before.state}, then ${after.state}`;
  return undefined;
}

export interface Told {
  /** Ids of the runs that somebody was told of. */
  readonly acknowledged: readonly string[];
  /** Those of them whose end was seen. */
  readonly ended: readonly RunView[];
  /** Submissions that nobody knows the outcome of. */
  readonly uncertain: number;
}

/** V3. */
export function verdictOfList({ acknowledged, ended, uncertain }: Told, listed: readonly RunView[]): string[] {
  const byId = new Map(listed.map((run) => [run.runId, countsOf(run)]));
  const known = new Set(acknowledged);
  const untold = listed.filter(({ runId }) => !known.has(runId));
  const unsettled = untold.filter((run) => run.spec.tasks !== run.succeeded + run.failed + run.cancelled);
  const changed = ended.filter((run) => (byId.get(run.runId) ?? countsOf(run)) !== countsOf(run));
  return [
    ...acknowledged.filter((id) => !byId.has(id)).map((id) => `${id} was acknowledged, and is not in the list of runs`),
    ...changed.map((run) => `${run.runId} ended ${countsOf(run)}, and is listed as ${byId.get(run.runId)}`),
    ...unsettled.map((run) => `${run.runId}, which nobody was told of, is ${countsOf(run)} of ${run.spec.tasks} tasks`),
    ...(untold.length > uncertain
      ? [`${untold.length} runs are there that nobody was told of, and ${uncertain} submissions had no answer`]
      : []),
  ];
}

const countsOf = ({ state, succeeded, failed, cancelled }: RunView): string =>
  `${state} with ${succeeded} succeeded, ${failed} failed, ${cancelled} cancelled`;
