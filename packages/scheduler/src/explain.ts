/** Why a run is not done: each reason that holds it now, for people and for scripts. */
import { limits } from './limits.ts';
import type { Attempt, Node } from './node.ts';
import type { Run } from './run.ts';
import type { Scheduler } from './scheduler.ts';

export interface Reason {
  readonly code:
    | 'NO_NODES'
    | 'NO_NODE_OFFERS_WORKLOAD'
    | 'LANES_BUSY'
    | 'RETRY_BACKOFF'
    | 'IN_FLIGHT'
    | 'STOPPING'
    | 'ENDED';
  readonly text: string;
}

/** The reasons, the most telling first; one that says ENDED where the run is not (or no longer) known. */
export function explain(scheduler: Scheduler, runId: string, now: number): Reason[] {
  const run = scheduler.runs.get(runId);
  if (run === undefined) return [{ code: 'ENDED', text: 'it has ended: nothing holds it' }];
  const reasons: Reason[] = [];
  if (run.state === 'stopping') reasons.push({ code: 'STOPPING', text: stoppingText(run) });
  if (run.pending > 0 && run.active) reasons.push(...whyNotHandedOut(scheduler, run, now));
  if (run.held > 0) reasons.push(inFlight(run, now));
  return reasons;
}

function whyNotHandedOut(scheduler: Scheduler, run: Run, now: number): Reason[] {
  if (scheduler.nodes.size === 0) {
    return [{ code: 'NO_NODES', text: 'no node is connected: start a node-agent that dials this coordinator' }];
  }
  if (run.shares.size === 0) {
    const text = `none of the ${scheduler.nodes.size} connected nodes offers workload ${run.plan.workload}`;
    return [{ code: 'NO_NODE_OFFERS_WORKLOAD', text }];
  }
  const workAt = run.workAt(now);
  if (workAt > now) {
    const text = `${run.pending} tasks wait ${Math.ceil(workAt - now)} ms before they are tried again`;
    return [{ code: 'RETRY_BACKOFF', text }];
  }
  return [{ code: 'LANES_BUSY', text: lanesBusyText(run) }];
}

function lanesBusyText(run: Run): string {
  const nodes = [...run.shares.values()].map((share) => share.node);
  const named = nodes.slice(0, limits.nodesExplainedMax).map(busyText).join('; ');
  const more = nodes.length > limits.nodesExplainedMax ? `; and ${nodes.length - limits.nodesExplainedMax} more` : '';
  const suspects = run.suspects.size;
  const alone = suspects === 0 ? '' : `; ${suspects} of them may have killed a host process and are tried alone`;
  return `${run.pending} tasks wait for a lane; all are busy: ${named}${more}${alone}`;
}

function busyText(node: Node): string {
  const byRun = new Map<string, number>();
  for (const { run } of node.attempts.values()) byRun.set(run.id, (byRun.get(run.id) ?? 0) + 1);
  const held = [...byRun].map(([id, chunks]) => `${chunks} of ${id}`).join(', ');
  return `${node.id} holds ${held === '' ? 'nothing' : `chunks: ${held}`}`;
}

function inFlight(run: Run, now: number): Reason {
  const oldest = attemptsOf(run).reduce((a, b) => (b.assignedAt < a.assignedAt ? b : a));
  const since = Math.round(now - oldest.assignedAt);
  const { from, to } = { from: oldest.reported, to: oldest.to - 1 };
  const on = `on node ${oldest.share.node.id}, for ${since} ms`;
  // A node may have told of a chunk's last task and not yet that the chunk is over.
  const where = from > to ? `attempt ${oldest.id}, has no task left, ${on}` : `tasks ${from}..${to} ${on}`;
  const text = `${run.inFlight} tasks in ${run.held} chunks are being worked on; the oldest, ${where}`;
  return { code: 'IN_FLIGHT', text };
}

const attemptsOf = (run: Run): Attempt[] =>
  [...run.shares.values()].flatMap(({ node }) => [...node.attempts.values()].filter((held) => held.run === run));

const stoppingText = (run: Run): string => `it is being stopped (${run.stopReason}): waiting for its nodes to let go`;
