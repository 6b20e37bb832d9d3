/** Between the queue's messages and the agent's own terms. */
import { createHash } from 'node:crypto';
import { readWorkItem, writeOutcomes } from '@regatta/proto/queue-messages';
import { packCount } from '@regatta/workloads';
import type { Assignment, Outcome } from '../hosts/work.ts';
import { assignmentOf, wireOutcomeOf } from '../link/codec.ts';

/**
 * @param runId that of the subject
 * @throws Error in a line where the bytes are no chunk of that run
 */
export function assignmentIn(bytes: Uint8Array, runId: string): Assignment {
  const { assignment: wire } = readWorkItem(bytes);
  if (wire === undefined) throw new Error('it has no chunk');
  const assignment = assignmentOf(wire);
  const { from, to, inputs } = assignment;
  if (assignment.runId !== runId) throw new Error('it is of another run than its subject');
  if (from >= to) throw new Error(`it has no task: ${from}..${to}`);
  if (inputs.byteLength > 0 && packCount(inputs) !== to - from)
    throw new Error(`it has ${packCount(inputs)} inputs for ${to - from} tasks`);
  return assignment;
}

/** @param outcomes of one run */
export const bytesOfOutcomes = (nodeId: string, incarnation: number, outcomes: readonly Outcome[]): Buffer =>
  writeOutcomes({
    nodeId,
    incarnation,
    outcomes: outcomes.map((outcome) => wireOutcomeOf(outcome, nodeId)),
    takings: [],
  });

/** That a chunk came here after others had it. */
export const bytesOfTaking = (nodeId: string, incarnation: number, attemptId: number, deliveries: number): Buffer =>
  writeOutcomes({ nodeId, incarnation, outcomes: [], takings: [{ attemptId, deliveries }] });

/** Equal for messages that say the same: whoever works on a chunk again, the stream stores what it tells once. */
export function messageIdOf(outcomes: readonly Outcome[]): string {
  const ids = outcomes.map(({ attemptId, from, to, end }) => `${attemptId}/${from}-${to}/${end.kind}`);
  const { runId } = outcomes[0]!;
  if (ids.length === 1) return `${runId}/${ids[0]}`;
  return `${runId}/${createHash('sha1').update(ids.join()).digest('base64url')}`;
}
