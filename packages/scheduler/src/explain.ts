/** Why a run is not done: each reason that holds it now, for people and for scripts. */
import { counted } from '@regatta/kernel';
import { limits } from './limits.ts';
import type { Attempt, Node } from './node.ts';
import type { Run } from './run.ts';
import type { Scheduler } from './scheduler.ts';

export const reasonCodes = [
  'NO_NODES',
  'NO_NODE_OFFERS_WORKLOAD',
  'NODES_DRAINING',
  'LANES_BUSY',
  'QUEUE_FULL',
  'RETRY_BACKOFF',
  'IN_FLIGHT',
  'STOPPING',
  'ENDED',
] as const;

export interface Reason {
  readonly code: (typeof reasonCodes)[number];
  readonly text: string;
}

/** The reasons, the most telling first; one that says ENDED where the run is not (or no longer) known. */
export function explain(scheduler: Scheduler, runId: string, now: number): Reason[] {
  const run = scheduler.runs.get(runId);
  if (run === undefined) return [{ code: 'ENDED', text: 'it has ended: nothing holds it' }];
  const reasons: Reason[] = [];
  if (run.state === 'stopping') reasons.push({ code: 'STOPPING', text: stoppingText(run) });
  // What is in a queue that nobody pulls from waits as well.
  const waits = run.pending > 0 || run.queue?.serves === false;
  if (waits && run.active) reasons.push(...whyNotHandedOut(scheduler, run, now));
  if (run.held > 0) reasons.push(inFlight(run, now));
  return reasons;
}

function whyNotHandedOut(scheduler: Scheduler, run: Run, now: number): Reason[] {
  if (scheduler.nodes.size === 0) {
    return [{ code: 'NO_NODES', text: 'no node is connected: start a node-agent that dials this coordinator' }];
  }
  const { workload } = run.plan;
  const able = [...scheduler.nodes.values()].filter((node) => node.workloads.has(workload));
  if (able.length === 0) {
    const text = `none of ${counted(scheduler.nodes.size, 'connected node')} offers workload ${workload}`;
    return [{ code: 'NO_NODE_OFFERS_WORKLOAD', text }];
  }
  const draining = able.filter((node) => !node.serves);
  if (draining.length === able.length) return [{ code: 'NODES_DRAINING', text: allDrainText(able, workload) }];
  const workAt = run.workAt(now);
  if (workAt > now) {
    const text = `${waiting(run)} ${Math.ceil(workAt - now)} ms before the next try`;
    return [{ code: 'RETRY_BACKOFF', text }];
  }
  if (run.queue !== undefined) return [{ code: 'QUEUE_FULL', text: queueFullText(run, draining) }];
  return [{ code: 'LANES_BUSY', text: lanesBusyText(run, draining) }];
}

function allDrainText(nodes: readonly Node[], workload: string): string {
  const [first] = nodes;
  return nodes.length === 1
    ? `the only node that offers workload ${workload} drains: regatta nodes resume ${first!.id} lets it work again`
    : `all ${nodes.length} nodes that offer workload ${workload} drain: ${named(nodes)}; ` +
        'regatta nodes resume NODE lets one work again';
}

function lanesBusyText(run: Run, draining: readonly Node[]): string {
  const busy = listed(servingNodes(run).map(busyText), '; ');
  return `${waiting(run)} for a lane; all are busy: ${busy}${asideText(run, draining)}`;
}

function queueFullText(run: Run, draining: readonly Node[]): string {
  const held = `${counted(run.held, 'chunk')} in the queue or with the nodes that pull: ${named(servingNodes(run))}`;
  return `${waiting(run)} until the queue has room; ${held}${asideText(run, draining)}`;
}

const HANGS = '; if it hangs: --timeout ends such tasks, --speculate has another node do them as well';

const waiting = ({ pending }: Run): string => `${counted(pending, 'task')} ${pending === 1 ? 'waits' : 'wait'}`;

const servingNodes = (run: Run): Node[] =>
  [...run.shares.values()].filter((share) => share.serves).map((share) => share.node);

/** What else takes part in the wait. */
function asideText(run: Run, draining: readonly Node[]): string {
  const suspects = run.suspects.size;
  const alone = suspects === 0 ? '' : `; ${suspects} of them may have killed a host process and are tried alone`;
  const drain = draining.length === 0 ? '' : `; draining, so handed nothing: ${named(draining)}`;
  return alone + drain;
}

const named = (nodes: readonly Node[]): string =>
  listed(
    nodes.map((node) => node.id),
    ', ',
  );

/** The first few, and how many more there are. */
function listed(texts: readonly string[], separator: string): string {
  const more = texts.length - limits.nodesExplainedMax;
  const few = texts.slice(0, limits.nodesExplainedMax);
  return [...few, ...(more > 0 ? [`and ${more} more`] : [])].join(separator);
}

function busyText(node: Node): string {
  const byRun = new Map<string, number>();
  for (const { run } of node.attempts.values()) byRun.set(run.id, (byRun.get(run.id) ?? 0) + 1);
  const held = [...byRun].map(([id, chunks]) => `${chunks} of ${id}`).join(', ');
  return `${node.id} holds ${held === '' ? 'nothing' : `chunks: ${held}`}`;
}

function inFlight(run: Run, now: number): Reason {
  const attempts = [...run.attemptsHeld()];
  const oldest = attempts.reduce((a, b) => (b.assignedAt < a.assignedAt ? b : a));
  const since = Math.round(now - oldest.assignedAt);
  const { from, to } = { from: oldest.reported, to: oldest.to - 1 };
  const on = `${placeOf(run, oldest)}, for ${since} ms`;
  // A node may have told of a chunk's last task and not yet that the chunk is over.
  const where = from > to ? `attempt ${oldest.id}, has no task left, ${on}` : `tasks ${from}..${to} ${on}`;
  const be = run.inFlight === 1 ? 'is' : 'are';
  const are = `${be} ${run.queue === undefined ? '' : 'in the queue or '}being worked on`;
  const copied = run.copies === 0 ? '' : `, ${run.copies} of them at two nodes at once`;
  const again = oldest.copies === 0 ? '' : `, given to a second node ${counted(oldest.copies, 'time')}`;
  const text = `${counted(run.inFlight, 'task')} in ${counted(run.held, 'chunk')} ${are}${copied}; the oldest, ${where}${again}`;
  return { code: 'IN_FLIGHT', text: text + drainingText(run) + (since < limits.hangsMs ? '' : HANGS) };
}

/** Who has pulled what is not known here. */
function placeOf(run: Run, attempt: Attempt): string {
  const share = [...run.shares.values()].find(({ holder }) => holder === attempt.taker.holder);
  return share === undefined ? 'in the queue or pulled from it' : `on node ${share.node.id}`;
}

function drainingText(run: Run): string {
  const held = [...run.shares.values()].filter(({ node, attempts }) => !node.serves && attempts > 0);
  if (held.length === 0) return '';
  const chunks = held.reduce((sum, { attempts }) => sum + attempts, 0);
  return `; chunks on draining nodes: ${chunks} (${named(held.map(({ node }) => node))})`;
}

function stoppingText(run: Run): string {
  const waitsFor = run.queue === undefined ? 'its nodes to let go' : 'its queue and its nodes to let go';
  return `it is being stopped (${run.stopReason}): waiting for ${waitsFor}`;
}
