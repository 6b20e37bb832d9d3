/** Which nodes had a chunk that was delivered more than once, for the day that it ends as delivered too often. */
import type { Outcome } from '../engine/bookkeeping.ts';
import { limits } from './limits.ts';

export class Takers {
  /** By attempt, in the order of deliveries; of the first nobody tells. */
  readonly #nodes = new Map<string, string[]>();

  took(runId: string, attemptId: number, nodeId: string): void {
    const key = keyOf(runId, attemptId);
    const nodes = this.#nodes.get(key) ?? [];
    if (nodes.length < limits.takersPerChunkMax) nodes.push(nodeId);
    this.#nodes.set(key, nodes);
    if (this.#nodes.size > limits.takenAgainMax) this.#nodes.delete(this.#nodes.keys().next().value!);
  }

  /** @returns the outcome; where it says that its chunk was delivered too often, with who had it */
  named(outcome: Outcome): Outcome {
    const { runId, attemptId, end } = outcome;
    if (end.kind === 'open') return outcome;
    const nodes = this.#nodes.get(keyOf(runId, attemptId));
    this.#nodes.delete(keyOf(runId, attemptId));
    if (nodes === undefined || end.kind !== 'lost' || end.loss.code !== 'DELIVERED_TOO_OFTEN') return outcome;
    const message = `${end.loss.message}; after the first, it went to ${nodes.join(', ')}`;
    return { ...outcome, end: { kind: 'lost', loss: { ...end.loss, message } } };
  }

  /** Forgets what it knows of a run. */
  drop(runId: string): void {
    for (const key of this.#nodes.keys()) if (key.startsWith(`${runId}/`)) this.#nodes.delete(key);
  }
}

const keyOf = (runId: string, attemptId: number): string => `${runId}/${attemptId}`;
