/** The whole of I1 to I5, checked from scratch. Too dear for every step in production; tests run it after each. */
import { assert, RangeSet } from '@regatta/kernel';
import { prefetchOf } from './dispatch.ts';
import type { Run } from './run.ts';
import type { Scheduler } from './scheduler.ts';

/** @throws InvariantError that names the invariant */
export function checkInvariants(scheduler: Scheduler): void {
  for (const run of scheduler.runs.values()) {
    run.assertConservation();
    checkPartition(scheduler, run);
  }
  checkNodes(scheduler);
}

/** I1, I2: committed, in flight and waiting-to-retry are disjoint; with the untouched rest they make 0..N-1. */
function checkPartition(scheduler: Scheduler, run: Run): void {
  const seen = new RangeSet();
  const add = (from: number, to: number, what: string): void => {
    if (from === to) return;
    const fresh = seen.add(from, to);
    const whole = fresh.length === 1 && fresh[0]!.from === from && fresh[0]!.to === to;
    assert(whole, `run ${run.id}: ${what} ${from}..${to} overlaps (I1)`);
  };
  let inFlight = 0;
  for (const range of run.committed.ranges) add(range.from, range.to, 'committed');
  for (const chunk of run.retries.items()) add(chunk.from, chunk.to, 'waiting');
  for (const node of scheduler.nodes.values()) {
    for (const attempt of node.attempts.values()) {
      if (attempt.run !== run) continue;
      add(attempt.reported, attempt.to, 'in flight');
      inFlight += attempt.to - attempt.reported;
    }
  }
  assert(inFlight === run.inFlight, `run ${run.id}: ${inFlight} tasks in flight, its books say ${run.inFlight} (I3)`);
  add(run.next, run.plan.tasks, 'untouched');
  assert(seen.size === run.plan.tasks, `run ${run.id}: ${run.plan.tasks - seen.size} tasks are nowhere (I1)`);
}

function checkNodes(scheduler: Scheduler): void {
  for (const node of scheduler.nodes.values()) {
    const held = new Map<Run, number>();
    for (const { run } of node.attempts.values()) held.set(run, (held.get(run) ?? 0) + 1);
    for (const [run, attempts] of held) {
      assert(scheduler.runs.get(run.id) === run, `${node.id} holds an attempt of ${run.id}, which has ended`);
      const share = run.shares.get(node.id);
      assert(share?.node === node, `${node.id} holds an attempt of ${run.id} without a part in it (I5)`);
      assert(share.attempts === attempts, `${node.id} holds ${attempts} attempts, its books say ${share.attempts}`);
    }
  }
}

/** I4, for the moment of an assignment: what a node holds of a run fits its lanes and its prefetch. */
export function checkCapacity(scheduler: Scheduler, nodeId: string, runId: string): void {
  const run = scheduler.runs.get(runId);
  const share = run?.shares.get(nodeId);
  if (run === undefined || share === undefined) return;
  const bound = share.lanes + prefetchOf(run, share);
  assert(share.attempts <= bound, `${nodeId} holds ${share.attempts} chunks of ${runId}, more than ${bound} (I4)`);
}
