/** Between the queue's messages and the coordinator's own terms. */

import { messageOf } from '@regatta/kernel';
import type { Outcome as WireOutcome } from '@regatta/proto/node';
import { readOutcomes, writeWorkItem } from '@regatta/proto/queue-messages';
import { pack } from '@regatta/workloads';
import { outcomeOf } from '../agents/codec.ts';
import type { Outcome } from '../engine/bookkeeping.ts';

export interface WorkItem {
  readonly runId: string;
  readonly attemptId: number;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  readonly alone: boolean;
  /** A pack of the tasks' inputs; empty where the run has none. */
  readonly inputs: Uint8Array;
}

export interface Told {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly outcomes: readonly Outcome[];
  /** Chunks that came to the node after others had them, and how often they were delivered by then. */
  readonly takings: readonly { readonly attemptId: number; readonly deliveries: number }[];
  /** Of those that cannot be so: they are among `outcomes` as lost. */
  readonly complaints: readonly string[];
}

export const bytesOfItem = (item: WorkItem): Buffer => writeWorkItem({ assignment: item });

/**
 * @param runId that of the subject
 * @throws Error in a line where the bytes are no such message
 */
export function toldBy(bytes: Uint8Array, runId: string): Told {
  const { nodeId, incarnation, outcomes, takings } = readOutcomes(bytes);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(nodeId)) throw new Error('it names no node');
  if (outcomes.length + takings.length === 0) throw new Error('it says nothing');
  if (outcomes.some((outcome) => outcome.runId !== runId)) throw new Error('it is of another run than its subject');
  const complaints: string[] = [];
  const checked = outcomes.map((outcome) => {
    try {
      return outcomeOf(outcome);
    } catch (thrown) {
      complaints.push(`attempt ${outcome.attemptId}: ${messageOf(thrown)}`);
      return asLost(outcome, nodeId, messageOf(thrown));
    }
  });
  return { nodeId, incarnation, outcomes: checked, takings, complaints };
}

/** Its node has let go of the chunk: without an end nobody would ever hear of the attempt again. */
function asLost(wire: WireOutcome, nodeId: string, why: string): Outcome {
  const message = `node ${nodeId} reported what cannot be: ${why}`;
  const value = { code: 'BAD_OUTCOME', message, signal: '', rssBytes: 0, stderrTail: '' };
  const bare = { ...wire, to: wire.from, results: pack([]), failures: [], retryAfterMs: [], timing: undefined };
  return outcomeOf({ ...bare, end: { $case: 'lost', value } });
}
