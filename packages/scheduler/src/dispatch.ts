/**
 * Late binding: who gets the next chunk, and how many chunks a node may hold.
 *
 * A node gets a chunk for each free lane, then a few more to hide the way of an order; never the whole run. Runs take
 * turns chunk by chunk, and chunks last about equally long, so that runs share a node's time. Owns I4 and I5.
 */
import { assert } from '@regatta/kernel';
import type { Effect } from './effects.ts';
import { limits } from './limits.ts';
import type { Attempt, Node } from './node.ts';
import { chunkSize } from './policy.ts';
import type { Run, Share } from './run.ts';

// Sums of 1/c drift by rounding; far below the smallest lane's weight.
const SLACK = 1e-6;

/** What dispatching looks at; the scheduler owns it. */
export interface Field {
  readonly nodes: ReadonlyMap<string, Node>;
  /** Active runs in the order of their turns. */
  readonly turns: Run[];
  nextAttemptId: number;
}

/** Hands out all that `nodes` can take now: free lanes first, over all of them, then prefetch. */
export function dispatch(field: Field, nodes: readonly Node[], now: number, effects: Effect[]): void {
  if (field.turns.length === 0) return;
  const emptiestFirst = nodes.length > 1 ? [...nodes].sort((a, b) => a.load - b.load) : nodes;
  for (const depth of ['lanes', 'prefetch'] as const) {
    for (const node of emptiestFirst) {
      while (assignOne(field, node, depth, now, effects));
    }
  }
}

function assignOne(field: Field, node: Node, depth: 'lanes' | 'prefetch', now: number, effects: Effect[]): boolean {
  for (let turn = 0; turn < field.turns.length; turn++) {
    const run = field.turns[turn]!;
    const share = run.shares.get(node.id);
    if (share === undefined || run.workAt(now) > now || !hasRoom(run, share, depth)) continue;
    if (field.turns.length > 1) {
      field.turns.splice(turn, 1);
      field.turns.push(run);
    }
    assign(field, run, share, now, effects);
    return true;
  }
  return false;
}

function hasRoom(run: Run, share: Share, depth: 'lanes' | 'prefetch'): boolean {
  const { node, shape } = share;
  const capacity = Math.max(node.offer.cores, shape.processes * shape.threads);
  const weight = 1 / shape.concurrency;
  if (depth === 'lanes') return share.attempts < share.lanes && node.load + weight <= capacity + SLACK;
  // The last tasks wait for lanes that are free: queued behind a long chunk they would be what the run waits for.
  if (share.attempts >= share.lanes && run.pending <= run.lanes) return false;
  const extra = prefetchOf(run, share);
  return share.attempts < share.lanes + extra && node.load + weight <= capacity + extra * weight + SLACK;
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

function assign(field: Field, run: Run, share: Share, now: number, effects: Effect[]): void {
  const { node } = share;
  assert(field.nodes.get(node.id) === node, `assigning to ${node.id}, which is lost (I5)`);
  const { from, to, attempt, failures, nodeLosses } = run.take(nextSize(run, share), now);
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
    assignedAt: now,
    reported: from,
    state: 'running',
  };
  if (run.state === 'waiting') effects.push({ kind: 'runStarted', runId: run.id });
  run.move('dispatched');
  run.inFlight += to - from;
  run.attempts++;
  share.attempts++;
  node.load += 1 / share.shape.concurrency;
  node.attempts.set(id, held);
  const open = share.opened ? undefined : share.shape;
  share.opened = true;
  const { id: nodeId, offer } = node;
  const order = { nodeId, incarnation: offer.incarnation, attemptId: id, runId: run.id, from, to, attempt, open };
  effects.push({ kind: 'assign', ...order });
}
