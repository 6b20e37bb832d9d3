/** The whole of I1 to I5, checked from scratch. Too dear for every step in production; tests run it after each. */
import { assert, RangeSet } from '@regatta/kernel';
import { placeOn } from './copies.ts';
import { capacityOf, prefetchOf } from './dispatch.ts';
import type { Node } from './node.ts';
import type { Queue } from './queue.ts';
import type { Run } from './run.ts';
import type { Scheduler } from './scheduler.ts';
import type { Taker } from './share.ts';

// Sums of 1/c and of rates drift by rounding.
const SLACK = 1e-6;

/** @throws InvariantError that names the invariant */
export function checkInvariants(scheduler: Scheduler): void {
  for (const run of scheduler.runs.values()) {
    run.assertConservation();
    checkPartition(scheduler, run);
    checkSums(scheduler, run);
    checkEnrolled(scheduler, run);
    if (run.queue !== undefined) checkQueue(run, run.queue);
    const due = run.active && run.pending > 0 && run.queue === undefined;
    assert(scheduler.turns.includes(run) === due, `run ${run.id} has a turn and no work, or work and no turn (I7)`);
  }
  assert(new Set(scheduler.turns).size === scheduler.turns.length, 'a run has two turns');
  for (const run of scheduler.turns) assert(scheduler.runs.get(run.id) === run, `${run.id} has ended, and has a turn`);
  for (const node of scheduler.nodes.values()) checkNode(scheduler, node);
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
  for (const chunk of [...run.retries.items(), ...run.suspects.items()]) add(chunk.from, chunk.to, 'waiting');
  const queued = run.queue === undefined ? [] : [run.queue.holder];
  for (const { attempts } of [...scheduler.nodes.values(), ...queued]) {
    for (const attempt of attempts.values()) {
      // At its second place it has been counted, or will be.
      if (attempt.run !== run || attempt.copy?.holder.attempts === attempts) continue;
      add(attempt.reported, attempt.to, 'in flight');
      inFlight += attempt.to - attempt.reported;
    }
  }
  assert(inFlight === run.inFlight, `run ${run.id}: ${inFlight} tasks in flight, its books say ${run.inFlight} (I3)`);
  add(run.next, run.plan.tasks, 'untouched');
  assert(seen.size === run.plan.tasks, `run ${run.id}: ${run.plan.tasks - seen.size} tasks are nowhere (I1)`);
}

/** What a run adds up over its nodes as it goes. */
function checkSums(scheduler: Scheduler, run: Run): void {
  const sums = { held: run.queue?.attempts ?? 0, serving: 0, lanes: 0, rate: 0, rates: 0 };
  for (const { node, serves, lanes, attempts, rate } of run.shares.values()) {
    assert(scheduler.nodes.get(node.id) === node, `run ${run.id} has a part on ${node.id}, which is lost (I5)`);
    assert(node.serves || !serves, `run ${run.id} is served by ${node.id}, which drains (I5)`);
    assert(node.runs.has(run), `${node.id} does not know of its part in ${run.id}`);
    sums.held += attempts;
    if (!serves) continue;
    sums.serving++;
    sums.lanes += lanes;
    sums.rate += rate;
    sums.rates += rate > 0 ? 1 : 0;
  }
  const places = run.held + run.copies;
  assert(sums.held === places, `run ${run.id} has ${sums.held} attempts out, its books say ${places}`);
  assert(
    sums.serving === run.serving,
    `run ${run.id} is served by ${sums.serving} nodes, its books say ${run.serving}`,
  );
  assert(sums.lanes === run.lanes, `run ${run.id} has ${sums.lanes} lanes, its books say ${run.lanes}`);
  assert(sums.rates === run.rateCount, `run ${run.id} knows ${sums.rates} rates, its books say ${run.rateCount}`);
  const off = Math.abs(sums.rate - run.rateSum);
  assert(
    off <= SLACK * Math.max(1, sums.rate),
    `run ${run.id}: rates sum to ${sums.rate}, its books say ${run.rateSum}`,
  );
}

/** A run has the nodes that it asked for and no more; while it has not, each node that could serve it does (I7). */
function checkEnrolled(scheduler: Scheduler, run: Run): void {
  const { nodes: limit, workload } = run.plan;
  assert(limit === 0 || run.serving <= limit, `run ${run.id} asked for ${limit} nodes and has ${run.serving}`);
  if (!run.active || (limit > 0 && run.serving === limit)) return;
  for (const node of scheduler.nodes.values()) {
    const could = node.serves && node.workloads.has(workload);
    assert(
      !could || run.shares.get(node.id)?.serves === true,
      `${node.id} could serve run ${run.id}, and does not (I7)`,
    );
  }
}

function checkNode(scheduler: Scheduler, node: Node): void {
  const empties = node.state === 'draining' || node.state === 'handingBack';
  assert(!empties || node.attempts.size > 0, `${node.id} drains and holds nothing: it has drained`);
  assert(node.state !== 'drained' || node.attempts.size === 0, `${node.id} has drained, and holds chunks`);
  const held = new Map<Run, number>();
  let load = 0;
  for (const attempt of node.attempts.values()) {
    const { run, alone, taker, copy } = attempt;
    const place = placeOn(attempt, node.id);
    held.set(run, (held.get(run) ?? 0) + 1);
    load += place.weight;
    assert(place === run.shares.get(node.id), `${node.id} holds an attempt of ${run.id} that another has (I5)`);
    assert(taker !== copy, `${node.id} holds an attempt of ${run.id} twice`);
    assert(copy?.holder.attempts.has(attempt.id) !== false, `a copy of attempt ${attempt.id} is at no place`);
    assert(place.alone === alone, `${node.id} holds a suspect of ${run.id}, and other chunks of it`);
  }
  assert(Math.abs(load - node.load) < SLACK, `${node.id} has a load of ${load}, its books say ${node.load}`);
  for (const run of held.keys()) {
    assert(scheduler.runs.get(run.id) === run, `${node.id} holds an attempt of ${run.id}, which has ended`);
    assert(run.shares.get(node.id)?.node === node, `${node.id} holds an attempt of ${run.id} with no part in it (I5)`);
  }
  for (const run of node.runs) {
    const { attempts, alone } = run.shares.get(node.id)!;
    const found = held.get(run) ?? 0;
    assert(attempts === found, `${node.id} holds ${found} attempts of ${run.id}, its books say ${attempts}`);
    assert(!alone || attempts === 1, `${node.id} is kept for a suspect of ${run.id} that it does not hold`);
  }
}

/** A run's queue holds its own attempts, all of them; where one is a suspect, that one. */
function checkQueue(run: Run, queue: Queue): void {
  const { attempts } = queue.holder;
  assert(attempts.size === queue.attempts, `run ${run.id} has ${attempts.size} chunks queued, not ${queue.attempts}`);
  assert(!queue.alone || attempts.size === 1, `run ${run.id} has a suspect in its queue, or did, and more beside it`);
  for (const { run: of, taker, alone } of attempts.values()) {
    assert(of === run && taker === queue, `the queue of ${run.id} holds what is not its own`);
    assert(alone === queue.alone, `the queue of ${run.id} holds a suspect, and other chunks`);
  }
  for (const share of run.shares.values()) assert(share.attempts === 0, `${share.node.id} was pushed what is queued`);
  assert(queue.newcomers.length === 0, `run ${run.id} has nodes that were not told to pull (I7)`);
}

/** I4, for the moment that a chunk is published. */
export function checkQueueRoom(scheduler: Scheduler, runId: string): void {
  const run = scheduler.runs.get(runId);
  assert(run?.queue !== undefined, `a chunk of ${runId} was published, which has no queue`);
  assert(run.queue.serves, `a chunk of ${runId} was published with no node to pull it (I5)`);
  checkHeld(run, run.queue, 'the queue');
}

/** I4 for one run: no more at one place than lanes and prefetch there. */
function checkHeld(run: Run, taker: Taker, where: string): void {
  const bound = taker.lanes + prefetchOf(run, taker);
  assert(taker.attempts <= bound, `${where} holds ${taker.attempts} chunks of ${run.id}, more than ${bound} (I4)`);
}

/** I4, for the moment of an assignment: what a node holds, of a run and in all, fits its lanes and its prefetch. */
export function checkCapacity(scheduler: Scheduler, nodeId: string, runId: string): void {
  const run = scheduler.runs.get(runId);
  const share = run?.shares.get(nodeId);
  const node = scheduler.nodes.get(nodeId);
  assert(run && share && node, `${nodeId} was assigned a chunk of ${runId} with no part in it`);
  checkHeld(run, share, nodeId);
  let room = 0;
  for (const other of node.runs) {
    const part = other.shares.get(nodeId)!;
    room = Math.max(room, capacityOf(part) + prefetchOf(other, part) * part.weight);
  }
  // The last chunk may weigh more than what was left: up to one core's worth.
  assert(node.load < room + 1 + SLACK, `${nodeId} holds ${node.load} cores' worth of chunks, more than ${room} (I4)`);
}
