/** Which nodes take part in which run, and how wide. Decided when a run or a node arrives, not chunk by chunk. */
import type { Node } from './node.ts';
import type { Run, Share } from './run.ts';
import { lanesOf, resolveShape } from './shape.ts';

/** Whether the node could take a part in the run that it does not have yet. */
function mayJoin(run: Run, node: Node): boolean {
  const full = run.plan.nodes > 0 && run.shares.size >= run.plan.nodes;
  return !full && !run.shares.has(node.id) && node.workloads.has(run.plan.workload);
}

/** Gives the run its nodes, the least busy first, and each of them its width. */
export function enroll(run: Run, nodes: Iterable<Node>): void {
  const willing = [...nodes].filter((node) => mayJoin(run, node));
  if (willing.length === 0) return;
  willing.sort((a, b) => a.fullness - b.fullness || a.runs.size - b.runs.size);
  const chosen = run.plan.nodes > 0 ? willing.slice(0, run.plan.nodes - run.shares.size) : willing;
  const onMachine = new Map<string, number>();
  const held = [...run.shares.values()].map((share) => share.node);
  for (const { offer } of [...held, ...chosen]) onMachine.set(offer.machine, (onMachine.get(offer.machine) ?? 0) + 1);
  for (const node of chosen) {
    // Nodes on one machine share its cores; counted twice they would all be slow.
    const cores = Math.max(1, Math.floor(node.offer.cores / onMachine.get(node.offer.machine)!));
    const shape = resolveShape(run.plan.shape, cores);
    const idle = { attempts: 0, alone: false, rate: 0, opened: false };
    const share: Share = { node, cores, shape, lanes: lanesOf(shape), ...idle };
    run.shares.set(node.id, share);
    run.lanes += share.lanes;
    node.runs.add(run);
  }
}

/** Ends the node's part in the run. */
export function dismiss(run: Run, share: Share): void {
  run.shares.delete(share.node.id);
  run.lanes -= share.lanes;
  learnRate(run, share, 0);
  share.node.runs.delete(run);
}

/** Sets what is known of a node's speed at this run, and keeps the run's sum of it. */
export function learnRate(run: Run, share: Share, rate: number): void {
  run.rateSum += rate - share.rate;
  run.rateCount += (rate > 0 ? 1 : 0) - (share.rate > 0 ? 1 : 0);
  if (run.rateCount === 0) run.rateSum = 0;
  share.rate = rate;
}
