/**
 * How large the next chunk is. Pure arithmetic on a view of the run; knows nothing of nodes, lanes or time.
 *
 * - `static`: ceil(N / P) tasks, so one chunk a lane. No balancing, least dispatch.
 * - `self`: self-scheduling, a fixed number of tasks (1 by default). Best balance, most dispatch.
 * - `awf`: adaptive weighted factoring. Half of what remains is spread over the lanes by measured speed (Hummel,
 *   Schonberg & Flynn 1992; weights adapted while running, Banicescu et al. 2003), but no chunk lasts longer than
 *   `chunkTargetMs`, and the first ones are small because nothing is known yet.
 */
import { limits } from './limits.ts';

export const policyNames = ['static', 'self', 'awf'] as const;
export type PolicyName = (typeof policyNames)[number];

export interface PolicyView {
  /** N: tasks of the run. */
  readonly total: number;
  /** R: tasks not handed out yet, at least 1. */
  readonly remaining: number;
  /** P: lanes that work on the run, over all its nodes, at least 1. */
  readonly lanes: number;
  /** What the run asked for; 0 for the policy's own choice. */
  readonly chunk: number;
  /** Tasks per ms that one lane of this node does of this run; 0 while unknown. */
  readonly rate: number;
  /** The same over all the run's nodes; 0 while unknown. */
  readonly meanRate: number;
  /** Mean bytes of a task's result; 0 while unknown. */
  readonly bytesPerTask: number;
}

/** Tasks in the next chunk: from 1 to `remaining`. */
export function chunkSize(policy: PolicyName, view: PolicyView): number {
  const wanted = Math.max(1, sizers[policy](view));
  const bytesBound = view.bytesPerTask > 0 ? Math.max(1, Math.floor(limits.chunkBytesMax / view.bytesPerTask)) : wanted;
  return Math.min(wanted, view.remaining, bytesBound, limits.chunkTasksMax);
}

const sizers: Record<PolicyName, (view: PolicyView) => number> = {
  static: (view) => view.chunk || Math.ceil(view.total / view.lanes),
  self: (view) => view.chunk || 1,
  awf: (view) => {
    const bound = view.chunk || limits.chunkTasksMax;
    if (view.rate === 0) {
      return Math.min(bound, limits.chunkProbeTasksMax, Math.ceil(view.remaining / (8 * view.lanes)));
    }
    const weight = view.meanRate > 0 ? view.rate / view.meanRate : 1;
    const fairShare = Math.ceil((weight * view.remaining) / (2 * view.lanes));
    return Math.min(bound, fairShare, Math.ceil(view.rate * limits.chunkTargetMs));
  },
};
