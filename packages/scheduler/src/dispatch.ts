/**
 * Late binding: who gets the next chunk, and how many chunks a node may hold.
 *
 * A node gets a chunk for each free lane, then a few more to hide the way of an order; never the whole run. Runs take
 * turns, and chunks last about equally long, so that runs share a node's time. Owns I4 and I5.
 */
import { assert } from '@regatta/kernel';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import type { Attempt, Node } from './node.ts';
import { chunkSize } from './policy.ts';
import type { Run, Share, Work } from './run.ts';

// Sums of 1/c drift by rounding; far below the smallest lane's weight.
const SLACK = 1e-6;

type Depth = 'lanes' | 'prefetch';

/** What dispatching looks at; the scheduler owns it. */
export interface Field {
  readonly nodes: ReadonlyMap<string, Node>;
  /** Active runs with tasks that nobody holds, in the order of their turns. */
  readonly turns: Run[];
  nextAttemptId: number;
}

/** Hands out all that `nodes` can take now: free lanes first, over all of them, then prefetch. */
export function dispatch(field: Field, nodes: readonly Node[], now: number, effects: Effect[]): void {
  if (field.turns.length === 0) return;
  const emptiestFirst = nodes.length > 1 ? [...nodes].sort((a, b) => a.fullness - b.fullness) : nodes;
  for (const depth of ['lanes', 'prefetch'] as const) {
    for (const node of emptiestFirst) {
      // No run has anything for it: looking through all of them would take long to find that out.
      if (!node.serves) continue;
      while (assignOne(field, node, depth, now, effects));
    }
  }
}

function assignOne(field: Field, node: Node, depth: Depth, now: number, effects: Effect[]): boolean {
  for (let turn = 0; turn < field.turns.length; turn++) {
    const run = field.turns[turn]!;
    const share = run.shares.get(node.id);
    const work = share === undefined ? undefined : run.workFor(share, now);
    if (share === undefined || work === undefined) continue;
    const extra = depth === 'lanes' ? 0 : prefetchOf(run, share);
    if (hasEnough(run, share, depth, extra)) continue;
    // Nobody overtakes the run whose turn it is: what others hold would never leave room for it.
    if (!fitsOn(share, extra)) return false;
    assign(field, run, share, work, now, effects);
    endTurn(field.turns, turn, share);
    return true;
  }
  return false;
}

function hasEnough(run: Run, share: Share, depth: Depth, extra: number): boolean {
  if (share.attempts < share.lanes) return false;
  // The last tasks wait for lanes that are free: queued behind a long chunk they would be what the run waits for.
  if (depth === 'prefetch' && run.pending <= run.lanes) return true;
  return share.attempts >= share.lanes + extra;
}

/** A chunk fits while less than the node's cores is taken, though it may weigh more than what is left. */
const fitsOn = (share: Share, extra: number): boolean =>
  share.node.load < capacityOf(share) + extra / share.shape.concurrency - SLACK;

/** Cores' worth of chunks that may be at work on the node. A run that asked for more threads than cores gets them. */
export const capacityOf = ({ cores, shape }: Share): number => Math.max(cores, shape.processes * shape.threads);

/** A turn lasts for one core's worth of chunks, so that a run of light chunks is not handed one of them a turn. */
function endTurn(turns: Run[], turn: number, share: Share): void {
  const run = turns[turn]!;
  run.turnUsed += 1 / share.shape.concurrency;
  if (run.pending > 0 && run.turnUsed < 1 - SLACK) return;
  run.turnUsed = 0;
  if (run.pending > 0 && turns.length === 1) return;
  turns.splice(turn, 1);
  if (run.pending > 0) turns.push(run);
}

/** Chunks that the node may hold of this run beyond its lanes. */
export function prefetchOf(run: Run, share: Share): number {
  const wide = Math.min(share.lanes, Math.max(8, Math.ceil(share.lanes / 8)));
  if (share.rate === 0) return wide;
  const chunkMs = nextSize(run, share) / share.rate;
  return wide * Math.min(limits.prefetchPerLaneMax, Math.max(1, Math.ceil(limits.prefetchTargetMs / chunkMs)));
}

function nextSize(run: Run, share: Share): number {
  return chunkSize(run.plan.policy, {
    total: run.plan.tasks,
    remaining: Math.max(1, run.pending),
    lanes: Math.max(1, run.lanes),
    chunk: run.plan.chunk,
    rate: share.rate,
    meanRate: run.rateCount > 0 ? run.rateSum / run.rateCount : 0,
    bytesPerTask: run.succeeded > 0 ? run.resultBytes / run.succeeded : 0,
  });
}

function assign(field: Field, run: Run, share: Share, work: Work, now: number, effects: Effect[]): void {
  const { node } = share;
  assert(field.nodes.get(node.id) === node, 'assigning to a node that is lost (I5)');
  assert(share.serves && node.serves, 'assigning to a node that drains (I5)');
  const chunk = work === 'suspect' ? run.takeSuspect() : run.take(nextSize(run, share), now);
  // Field by field: copying objects whole was a good part of what a step costs.
  const { from, to, attempt, failures, nodeLosses, alone } = chunk;
  const id = field.nextAttemptId++;
  const held: Attempt = {
    id,
    run,
    share,
    from,
    to,
    attempt,
    failures,
    nodeLosses,
    alone,
    assignedAt: now,
    reported: from,
    state: 'running',
  };
  if (run.state === 'waiting') effects.push({ kind: 'runStarted', runId: run.id });
  run.move('dispatched');
  run.inFlight += to - from;
  run.attempts++;
  run.held++;
  share.attempts++;
  share.alone = alone;
  node.load += 1 / share.shape.concurrency;
  node.attempts.set(id, held);
  const open = share.opened ? undefined : share.shape;
  share.opened = true;
  const { id: nodeId, offer } = node;
  const { incarnation } = offer;
  const { id: runId } = run;
  effects.push({ kind: 'assign', nodeId, incarnation, attemptId: id, runId, from, to, attempt, alone, open });
}
