/** Why a run waits: what the scheduler knows, and what only whoever hears the nodes and the queues does. */
import { counted } from '@regatta/kernel';
import { explain, type Reason, type Scheduler } from '@regatta/scheduler';
import type { Fleet } from './fleet.ts';
import { limits } from './limits.ts';

export type RunReason = Reason | { readonly code: 'NODE_SILENT' | 'NATS_AWAY' | 'POLITENESS'; readonly text: string };

/**
 * @param complaint of the queues, where they are what it may wait for
 * @param polite what of its tasks waits for which target
 */
export function explainWaiting(
  scheduler: Scheduler,
  fleet: Fleet,
  runId: string,
  now: number,
  complaint: string | undefined,
  polite: readonly string[] = [],
): RunReason[] {
  const away: RunReason[] = complaint === undefined ? [] : [{ code: 'NATS_AWAY', text: complaint }];
  const permits = polite.map((text): RunReason => ({ code: 'POLITENESS', text }));
  const nodes = [...silentNodes(scheduler, fleet, runId), ...cutOff(scheduler, fleet, runId)];
  return [...away, ...nodes, ...permits, ...explain(scheduler, runId, now)];
}

/** Nodes of a queued run that cannot get at its queue. */
function cutOff(scheduler: Scheduler, fleet: Fleet, runId: string): RunReason[] {
  const run = scheduler.runs.get(runId);
  if (run?.queue === undefined) return [];
  return [...run.shares.keys()].flatMap((nodeId) => {
    const complaint = fleet.find(nodeId)?.pulse.queueComplaint;
    return complaint ? [{ code: 'NATS_AWAY', text: `node ${nodeId} takes no chunks: ${complaint}` }] : [];
  });
}

/** Nodes of the run that have missed heartbeats: what they hold waits for them, or for the end of their lease. */
function silentNodes(scheduler: Scheduler, fleet: Fleet, runId: string): RunReason[] {
  const shares = [...(scheduler.runs.get(runId)?.shares.values() ?? [])];
  return shares.flatMap(({ node, attempts }) => {
    const silentMs = Date.now() - (fleet.find(node.id)?.lastSeenMs ?? Number.POSITIVE_INFINITY);
    if (attempts === 0 || silentMs < limits.beatsMissed * limits.heartbeatMs) return [];
    const heard = `node ${node.id} was last heard ${Math.round(silentMs)} ms ago`;
    const text = `${heard}; after ${limits.leaseMs} ms it counts as lost, and what it has of the run goes elsewhere (${counted(attempts, 'chunk')})`;
    return [{ code: 'NODE_SILENT', text }];
  });
}
