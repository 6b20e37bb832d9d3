/**
 * Copies: near the end of a run that allows it, idle lanes get chunks that others take long over, as well. Who is first
 * to tell of a task has done it, and the chunk ends with whoever is first to end it.
 *
 * A copy is no attempt of its own but a second place of the attempt: so what is in flight is counted once, and I1 to I3
 * hold as ever. One place may be lost, or let go, and the attempt goes on at the other; with the last copy that it may have
 * it ends, and what is left is tried anew as of any attempt: the first place may never get anywhere.
 */
import { assert } from '@regatta/kernel';
import { type Field, fitsOn } from './dispatch.ts';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import type { Attempt } from './node.ts';
import type { Run } from './run.ts';
import { type Share, type Taker, vacate } from './share.ts';

/** Hands out what takes long and has an idle lane elsewhere; what is expected to take longest first. */
export function copyStragglers({ nodes }: Field, run: Run, now: number, effects: Effect[]): void {
  if (!run.active || run.usualRate === 0) return;
  const attempts = [...run.attemptsHeld()];
  // One that takes long itself holds up no other.
  let copies = attempts.filter(
    (attempt) => attempt.copy !== undefined && now - attempt.copiedAt < dueMs(attempt),
  ).length;
  const stragglers = attempts.filter((attempt) => isStraggler(attempt, now));
  stragglers.sort((a, b) => restMs(b, now) - restMs(a, now));
  for (const attempt of stragglers) {
    if (copies >= Math.max(1, Math.floor(limits.copiesPerLane * run.lanes))) return;
    const share = idlestFor(attempt);
    if (share === undefined) continue;
    assert(nodes.get(share.node.id) === share.node, 'copying to a node that is lost (I5)');
    copyTo(attempt, share, now, effects);
    copies++;
  }
}

/** It takes much longer than it was to take, and a lane of usual speed would do the rest of it in less. */
function isStraggler(attempt: Attempt, now: number): boolean {
  const { usualRate } = attempt.run;
  const { to, reported, state, alone, copy, copies } = attempt;
  if (state !== 'running' || alone || copy !== undefined || reported === to) return false;
  if (copies === limits.copiesPerAttemptMax) return false;
  if (heldMs(attempt, now) < dueMs(attempt)) return false;
  return restMs(attempt, now) > (to - reported) / usualRate;
}

/** After so long with a node it takes long. */
function dueMs({ run, from, to, taker }: Attempt): number {
  const expectedMs = (to - from) / (taker.rate || run.usualRate);
  return Math.max(limits.copyAfterMsMin, limits.copySlowness * expectedMs);
}

/** At the speed so far; where nothing is known of that, as long again as it has taken. */
function restMs(attempt: Attempt, now: number): number {
  const { from, to, reported } = attempt;
  const elapsedMs = heldMs(attempt, now);
  return reported === from ? elapsedMs : (elapsedMs * (to - reported)) / (reported - from);
}

/** While there was no coordinator nobody could tell of it. */
const heldMs = ({ run, assignedAt }: Attempt, now: number): number => now - Math.max(assignedAt, run.recoveredAt);

/** The node with a lane that has nothing to do, the least full first. */
function idlestFor({ run, taker }: Attempt): Share | undefined {
  let idlest: Share | undefined;
  for (const share of run.shares.values()) {
    const isFree = share.attempts < share.lanes && fitsOn(share, 0);
    if (share === taker || !share.serves || share.alone || !isFree) continue;
    if (idlest === undefined || share.node.fullness < idlest.node.fullness) idlest = share;
  }
  return idlest;
}

function copyTo(attempt: Attempt, share: Share, now: number, effects: Effect[]): void {
  const { id: attemptId, run, reported: from, to, attempt: nth } = attempt;
  const { node, shape, weight } = share;
  attempt.copy = share;
  attempt.copies++;
  attempt.copiedAt = now;
  run.copies++;
  share.attempts++;
  node.load += weight;
  node.attempts.set(attemptId, attempt);
  const open = share.opened ? undefined : shape;
  share.opened = true;
  const { id: nodeId, offer } = node;
  effects.push({
    kind: 'copy',
    nodeId,
    incarnation: offer.incarnation,
    attemptId,
    runId: run.id,
    from,
    to,
    attempt: nth,
    open,
  });
}

/** The place of the attempt on that node; the only one, where it has not been copied. */
export const placeOn = ({ copy, taker }: Attempt, nodeId: string): Taker => (copy?.node.id === nodeId ? copy : taker);

/** The one of its two places that is not this one. */
export const otherPlace = ({ copy, taker }: Attempt, place: Taker): Share =>
  // Only chunks of nodes are copied, never those of queues.
  (place === copy ? taker : copy) as Share;

/** What that node says of the attempt counts as if there were no other place: there will be no further copy. */
export const isLastCopy = ({ copy, copies }: Attempt, nodeId: string): boolean =>
  copy?.node.id === nodeId && copies === limits.copiesPerAttemptMax;

/** One of two places has let go, or is gone: the attempt goes on at the other. */
export function leave(attempt: Attempt, place: Taker): void {
  if (place === attempt.taker) attempt.taker = attempt.copy!;
  attempt.copy = undefined;
  attempt.run.copies--;
  vacate(attempt.id, place);
}
