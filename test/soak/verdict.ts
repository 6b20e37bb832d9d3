/**
 * What is wrong with how a run ended. Pure.
 *
 * - V1: submitted = succeeded + failed + cancelled, and nothing is in flight or pending any more.
 * - V2: each task that succeeded has one result, and it is the right one; no other task has any.
 * - V3: tasks that are poisoned fail, of what they are poisoned with, and no other does. What fails by chance fails as
 *   its own seed says: exactly so where no attempt was lost, or else as its last attempt's number says.
 * - V4: a run that was cancelled, or passed its deadline, has ended in time, unless it had ended before.
 * - V5: a failure counts as allowed only where the soak's own blows can be its cause: an innocent task that died with
 *   its host is given up after a second death, which must have been within its run's life; one that was lost with its
 *   node is, after more losses than the scheduler takes as chance.
 */
import { limits as schedulerLimits } from '@regatta/scheduler';
import type { FailureView, RunView } from '../../services/coordinator/src/cli/views.ts';
import type { Job } from './job.ts';

/** Of a run, besides what it says of itself. */
export interface Circumstances {
  /** By task. */
  readonly values: ReadonlyMap<number, unknown>;
  /** Tasks with a second result. */
  readonly doubled: readonly number[];
  /** What the workload makes of the results, where it is asked. */
  readonly combined?: unknown;
  /** From the order to cancel, or the deadline, to the end; undefined where it was neither. */
  readonly endingMs?: number;
  /** How many of the soak's own blows fell while it lasted. */
  readonly hostKills: number;
  readonly agentFaults: number;
}

export interface Verdict {
  readonly wrong: readonly string[];
  readonly allowed: readonly string[];
}

/** Promised is a second. On a loaded machine the median gets two, and a single run more. */
export const END_MS_MAX = 5_000;
/** Until a node that is gone, or stands still, counts as lost. */
const END_DISTURBED_MS_MAX = 15_000;

export function verdictOf(job: Job, run: RunView, circumstances: Circumstances): Verdict {
  const wrong = [
    ...countsOf(run),
    ...stateOf(job, run),
    ...resultsOf(job, run, circumstances),
    ...missingFailuresOf(job, run, circumstances),
    ...endingOf(circumstances),
  ];
  const allowed: string[] = [];
  for (const failure of run.failures) {
    const why = wrongOf(job, failure, circumstances);
    if (why === undefined) continue;
    (isAllowed(failure, circumstances) ? allowed : wrong).push(`task ${failure.task} ${why}`);
  }
  const name = (what: string): string => `${run.runId} (${job.kind}, ${run.spec.model}): ${what}`;
  return { wrong: wrong.map(name), allowed: allowed.map(name) };
}

/** V1. */
function* countsOf({ spec, succeeded, failed, cancelled, inFlight, pending, failures }: RunView): Iterable<string> {
  if (spec.tasks !== succeeded + failed + cancelled || inFlight + pending > 0) {
    const rest = `${inFlight} in flight and ${pending} pending`;
    yield `${spec.tasks} tasks became ${succeeded} succeeded, ${failed} failed and ${cancelled} cancelled, ${rest}`;
  }
  if (failures.length !== failed) yield `${failures.length} failures are told of ${failed}`;
}

function* stateOf({ ending }: Job, { state, failed, cancelled, reason, spec }: RunView): Iterable<string> {
  const expected = cancelled > 0 ? 'cancelled' : failed > 0 ? 'failed' : 'succeeded';
  if (state !== expected) yield `it is ${state}, not ${expected}`;
  if (state === 'cancelled' && ending.kind === 'whole') yield `it was cancelled by nobody: ${reason}`;
  if (ending.kind === 'deadline' && !reason.includes(`deadline of ${spec.deadlineMs} ms`)) {
    yield `it passed its deadline, and its reason is ${JSON.stringify(reason)}`;
  }
}

/** V2. */
function* resultsOf(job: Job, { succeeded, failures }: RunView, circumstances: Circumstances): Iterable<string> {
  const { values, doubled, combined } = circumstances;
  if (values.size !== succeeded) yield `it has results of ${values.size} tasks; ${succeeded} succeeded`;
  if (doubled.length > 0) yield `task ${doubled[0]} has two results, as have ${doubled.length - 1} more`;
  const bad = [...values].filter(([task, value]) => !job.isRight(task, value));
  if (bad.length > 0)
    yield `task ${bad[0]![0]} gave ${String(bad[0]![1]).slice(0, 80)}; ${bad.length} results are wrong`;
  const both = failures.find(({ task }) => values.has(task));
  if (both !== undefined) yield `task ${both.task} failed and has a result`;
  const { intact = values.size } = (combined ?? {}) as { intact?: number };
  if (intact !== values.size) yield `${values.size - intact} of ${values.size} results are not intact`;
}

/** The other half of V3: what had to fail and did not. */
function* missingFailuresOf(job: Job, run: RunView, circumstances: Circumstances): Iterable<string> {
  if (run.state === 'cancelled') return;
  const failed = new Set(run.failures.map(({ task }) => task));
  const missing = [...job.poisoned].filter((task) => !failed.has(task));
  if (missing.length > 0) yield `the poisoned task ${missing[0]} did not fail`;
  if (job.mustFail === undefined || !isUndisturbed(run, circumstances)) return;
  for (let task = 0; task < run.spec.tasks; task++) {
    if (job.mustFail(task) !== failed.has(task)) {
      yield `task ${task} was to ${failed.has(task) ? 'succeed' : 'fail'} within ${run.spec.retries} retries, and did not`;
      return;
    }
  }
}

const isUndisturbed = ({ accounting }: RunView, { hostKills, agentFaults }: Circumstances): boolean =>
  accounting.lostAttempts + accounting.fenced + hostKills + agentFaults === 0;

/** V4. */
function* endingOf({ endingMs, agentFaults }: Circumstances): Iterable<string> {
  const most = agentFaults > 0 ? END_DISTURBED_MS_MAX : END_MS_MAX;
  if (endingMs !== undefined && endingMs > most)
    yield `it ended ${Math.round(endingMs)} ms after it was to; ${most} at most`;
}

/** V3. */
function wrongOf(job: Job, failure: FailureView, circumstances: Circumstances): string | undefined {
  const { task, attempt, code, message, signal, exit } = failure;
  const said = `${code} (${signal ?? exit ?? ''}) ${message.slice(0, 120)}`;
  if (job.poisoned.has(task)) {
    if (job.codes.includes(code) || circumstances.hostKills + circumstances.agentFaults > 0) return undefined;
    return `failed as it was to, but of ${said}`;
  }
  if (job.mayFail?.(task, attempt) && code === 'TASK_THREW' && message.startsWith('made to fail')) return undefined;
  return `was not to fail, and did: ${said}`;
}

/** V5. */
function isAllowed({ code, signal }: FailureView, { hostKills, agentFaults }: Circumstances): boolean {
  if (code === 'HOST_DIED') return signal === 'SIGKILL' && hostKills > 0;
  return code === 'NODE_LOST' && agentFaults > schedulerLimits.nodeLossesPerChunkMax;
}
