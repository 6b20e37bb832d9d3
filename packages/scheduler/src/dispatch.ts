/**
 * Late binding: who gets the next chunk, and how many chunks a node or a queue may hold.
 *
 * A node gets a chunk for each free lane, then a few more to hide the way of an order; never the whole run. Runs take
 * turns, and chunks last about equally long, so that runs share a node's time. A queue is one run's own: it is filled as
 * far as its nodes, taken together, would be. Owns I4 and I5.
 */
import { assert } from '@regatta/kernel';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import type { Attempt, Node } from './node.ts';
import { chunkSize } from './policy.ts';
import type { Run, Work } from './run.ts';
import { type Share, type Taker, vacate } from './share.ts';
import { nextAttemptState } from './transitions.ts';

// Sums of 1/c drift by rounding; far below the smallest lane's weight.
const SLACK = 1e-6;

type Depth = 'lanes' | 'prefetch';

/** What dispatching looks at; the scheduler owns it. */
export interface Field {
  readonly nodes: ReadonlyMap<string, Node>;
  /** Active runs with tasks that nobody holds, in the order of their turns; but for those with a queue. */
  readonly turns: Run[];
  nextAttemptId: number;
  /** All of the run is handed out: chunks that take long may be copied later on. */
  lookLater(run: Run, now: number): void;
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
    if (run.pending === 0) field.lookLater(run, now);
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
export const fitsOn = (share: Share, extra: number): boolean =>
  share.node.load < capacityOf(share) + extra * share.weight - SLACK;

/** Cores' worth of chunks that may be at work on the node. A run that asked for more threads than cores gets them. */
export const capacityOf = ({ cores, shape }: Share): number => Math.max(cores, shape.processes * shape.threads);

/** A turn lasts for one core's worth of chunks, so that a run of light chunks is not handed one of them a turn. */
function endTurn(turns: Run[], turn: number, share: Share): void {
  const run = turns[turn]!;
  run.turnUsed += share.weight;
  if (run.pending > 0 && run.turnUsed < 1 - SLACK) return;
  run.turnUsed = 0;
  if (run.pending > 0 && turns.length === 1) return;
  turns.splice(turn, 1);
  if (run.pending > 0) turns.push(run);
}

/** Chunks of this run that may be held there beyond its lanes. */
export function prefetchOf(run: Run, taker: Taker): number {
  if (taker.rate === 0) return taker.ahead;
  const chunkMs = nextSize(run, taker) / taker.rate;
  return taker.ahead * Math.min(limits.prefetchPerLaneMax, Math.max(1, Math.ceil(limits.prefetchTargetMs / chunkMs)));
}

function nextSize(run: Run, taker: Taker): number {
  return chunkSize(run.plan.policy, {
    total: run.plan.tasks,
    remaining: Math.max(1, run.pending),
    lanes: Math.max(1, run.lanes),
    chunk: run.plan.chunk,
    rate: taker.rate,
    meanRate: run.rateCount > 0 ? run.rateSum / run.rateCount : 0,
    bytesPerTask: run.succeeded > 0 ? run.resultBytes / run.succeeded : 0,
  });
}

function assign(field: Field, run: Run, share: Share, work: Work, now: number, effects: Effect[]): void {
  const { node } = share;
  assert(field.nodes.get(node.id) === node, 'assigning to a node that is lost (I5)');
  assert(share.serves && node.serves, 'assigning to a node that drains (I5)');
  const { id: attemptId, from, to, attempt, alone } = handOut(field, run, share, work, now, effects);
  const open = share.opened ? undefined : share.shape;
  share.opened = true;
  const { id: nodeId, offer } = node;
  const { incarnation } = offer;
  effects.push({ kind: 'assign', nodeId, incarnation, attemptId, runId: run.id, from, to, attempt, alone, open });
}

/** Tells those nodes of a queued run to pull that were not told yet, and publishes what there is room for. */
export function fill(field: Field, run: Run, now: number, effects: Effect[]): void {
  const { queue } = run;
  if (queue === undefined || !run.active) return;
  for (const share of queue.newcomers) callUp(field, run, share, effects);
  queue.newcomers.length = 0;
  while (queue.attempts < queue.lanes + prefetchOf(run, queue)) {
    const work = run.workFor(queue, now);
    if (work === undefined) return;
    const { id: attemptId, from, to, attempt, alone } = handOut(field, run, queue, work, now, effects);
    effects.push({ kind: 'publish', runId: run.id, attemptId, from, to, attempt, alone });
  }
}

function callUp(field: Field, run: Run, share: Share, effects: Effect[]): void {
  const { node, shape } = share;
  assert(share.serves && run.shares.get(node.id) === share, 'calling up a node that has no part in the run (I5)');
  assert(field.nodes.get(node.id) === node && node.serves, 'calling up a node that is lost or drains (I5)');
  share.opened = true;
  effects.push({ kind: 'pull', nodeId: node.id, incarnation: node.offer.incarnation, runId: run.id, shape });
}

/** Enters the next chunk in the books of its run and of whoever it is handed to. */
function handOut(field: Field, run: Run, taker: Taker, work: Work, now: number, effects: Effect[]): Attempt {
  const chunk = work === 'suspect' ? run.takeSuspect() : run.take(nextSize(run, taker), now);
  // Field by field: copying objects whole was a good part of what a step costs.
  const { from, to, attempt, failures, nodeLosses, alone } = chunk;
  const id = field.nextAttemptId++;
  const held: Attempt = {
    id,
    run,
    taker,
    from,
    to,
    attempt,
    failures,
    nodeLosses,
    alone,
    assignedAt: now,
    reported: from,
    state: 'running',
    copy: undefined,
    copies: 0,
    copiedAt: 0,
  };
  if (run.state === 'waiting') effects.push({ kind: 'runStarted', runId: run.id });
  run.move('dispatched');
  run.inFlight += to - from;
  run.attempts++;
  run.held++;
  taker.attempts++;
  taker.alone = alone;
  taker.holder.load += taker.weight;
  taker.holder.attempts.set(id, held);
  return held;
}

/** Takes the attempt off the books of whoever holds it; what it leaves undone is in flight no more. */
export function close(attempt: Attempt, trigger: 'completed' | 'stopped' | 'lost'): void {
  const { run, taker, copy } = attempt;
  assert(copy === undefined, 'an attempt ends at its last place');
  attempt.state = nextAttemptState(attempt.state, trigger);
  vacate(attempt.id, taker);
  taker.alone = false;
  run.held--;
  run.inFlight -= attempt.to - attempt.reported;
}
