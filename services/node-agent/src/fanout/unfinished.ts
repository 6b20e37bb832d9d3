/** Ends of chunks that were not run here. */
import { pack } from '@regatta/workloads';
import { type Assignment, NO_TIMING, type Outcome } from '../hosts/work.ts';

/** The codes in work.ts are those of hosts; this one is ours. */
const CODE = 'DELIVERED_TOO_OFTEN';

/** Node after node took it and none finished: it ends with its cause, not in a circle for ever. @returns that, and why in a line */
export function deliveredTooOften(
  assignment: Assignment,
  deliveries: number,
  nodeId: string,
): { readonly outcome: Outcome; readonly message: string } {
  const { from, to } = assignment;
  const tasks = to - from === 1 ? `task ${from} was` : `tasks ${from} to ${to - 1} were`;
  const message =
    `${tasks} delivered ${deliveries} times, and no node brought them to an end; ` +
    `node ${nodeId}, the last to get them, did not run them`;
  const facts = { exit: undefined, signal: '', rssBytes: 0, stderrTail: '', culprit: undefined };
  const end = { kind: 'lost', loss: { code: CODE, message, ...facts } } as const;
  return { outcome: { ...nothingOf(assignment), end }, message };
}

/** It is for others to do. */
export const notBegun = (assignment: Assignment): Outcome => ({ ...nothingOf(assignment), end: { kind: 'stopped' } });

const nothingOf = ({ attemptId, runId, from }: Assignment): Omit<Outcome, 'end'> => ({
  attemptId,
  runId,
  from,
  to: from,
  results: pack([]),
  failures: [],
  timing: NO_TIMING,
});
