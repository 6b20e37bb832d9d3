/** Which nodes take part in which run, and how wide. Decided as runs and nodes come and go, not chunk by chunk. */
import type { Node } from './node.ts';
import type { Run } from './run.ts';
import { resolveShape } from './shape.ts';
import { idleShare, type Share, type Taker } from './share.ts';

/** Whether the node could take a part in the run that it does not have yet. */
const mayJoin = (run: Run, node: Node): boolean =>
  node.serves && node.workloads.has(run.plan.workload) && run.shares.get(node.id)?.serves !== true;

/** Gives the run its nodes, the least busy first, and each of them its width. */
export function enroll(run: Run, nodes: Iterable<Node>): void {
  const room = run.plan.nodes > 0 ? run.plan.nodes - run.serving : Number.POSITIVE_INFINITY;
  if (room <= 0) return;
  const willing = [...nodes].filter((node) => mayJoin(run, node));
  if (willing.length === 0) return;
  willing.sort((a, b) => a.fullness - b.fullness || a.runs.size - b.runs.size);
  const chosen = willing.slice(0, room);
  // A node that drains will have left its cores by the time that matters to those that take its place.
  const held = [...run.shares.values()].filter((share) => share.serves).map((share) => share.node);
  const onMachine = new Map<string, number>();
  for (const { offer } of [...held, ...chosen]) onMachine.set(offer.machine, (onMachine.get(offer.machine) ?? 0) + 1);
  for (const node of chosen) {
    // A node that has had a part before keeps its width: it has been told.
    const share = run.shares.get(node.id) ?? newShare(run, node, onMachine.get(node.offer.machine)!);
    takeUp(run, share);
  }
}

/** @param neighbours nodes of the run on the same machine, this one included */
function newShare(run: Run, node: Node, neighbours: number): Share {
  // Nodes on one machine share its cores; counted twice they would all be slow.
  const cores = Math.max(1, Math.floor(node.offer.cores / neighbours));
  const share = idleShare(node, cores, resolveShape(run.plan.shape, cores));
  run.shares.set(node.id, share);
  node.runs.add(run);
  return share;
}

function takeUp(run: Run, share: Share): void {
  share.serves = true;
  run.serving++;
  run.lanes += share.lanes;
  run.rateSum += share.rate;
  if (share.rate > 0) run.rateCount++;
  run.queue?.newcomers.push(share);
}

/**
 * The node is handed nothing more of the run, and no longer counts as one of its nodes; it keeps what it holds.
 * @returns whether it did count
 */
export function setAside(run: Run, share: Share): boolean {
  if (!share.serves) return false;
  share.serves = false;
  run.serving--;
  run.lanes -= share.lanes;
  if (share.rate > 0) run.rateCount--;
  run.rateSum = run.rateCount === 0 ? 0 : run.rateSum - share.rate;
  return true;
}

/** Ends the node's part in the run. */
export function dismiss(run: Run, share: Share): void {
  setAside(run, share);
  run.shares.delete(share.node.id);
  share.node.runs.delete(run);
}

/** Sets what is known of a taker's speed at this run, and keeps the run's sum of it. A queue has none beside it. */
export function learnRate(run: Run, taker: Taker, rate: number): void {
  if (taker.serves && taker !== run.queue) {
    run.rateSum += rate - taker.rate;
    run.rateCount += (rate > 0 ? 1 : 0) - (taker.rate > 0 ? 1 : 0);
  }
  taker.rate = rate;
}
