/** What is read when somebody scrapes: how runs, nodes and this coordinator stand. Figures of what is gone go with it. */
import type { Reading } from '@regatta/observe';
import type { Coordinator } from '../coordinator.ts';
import type { Engine } from '../engine/engine.ts';
import type { NodeRecord } from '../engine/fleet.ts';
import type { RunRecord } from '../engine/run-record.ts';
import { ROLES } from './label-values.ts';
import { limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { Throttling } from './throttling.ts';
import { labelsOf, type WorkLabels } from './work.ts';

/** Sets all gauges. Without an engine, as on a stand-by, there are no runs and no nodes. */
export function readAll(metrics: Metrics, throttling: Throttling, coordinator: Coordinator): void {
  const engine = coordinator.leading;
  readLeadership(metrics, coordinator);
  readWork(metrics, engine);
  readRuns(metrics, engine);
  readNodes(metrics, engine?.nodes() ?? []);
  metrics.nodeThrottled.read(throttling.read(engine?.nodes() ?? []));
  readLanes(metrics, engine);
  metrics.keptMemory.read(only(engine?.shelf.memoryBytes));
  metrics.keptDisk.read(only(engine?.shelf.diskBytes));
}

/** The value of a metric without labels; none where there is none. */
export const only = (value: number | undefined): Reading<never>[] => (value === undefined ? [] : [[{}, value]]);

function readLeadership(metrics: Metrics, coordinator: Coordinator): void {
  metrics.leadership.read(ROLES.map((role) => [{ role }, Number(coordinator.role === role)]));
  metrics.leadershipTerm.read(only(coordinator.termNumber));
  metrics.takeOver.read(only(coordinator.takeOverMs / 1000));
  const { figures } = coordinator;
  metrics.journalPending.read(only(figures?.journalPendingBytes));
  metrics.queueUnsent.read(only(figures?.queueUnsentBytes));
  metrics.queueHeld.read(only(figures?.queueHeldMessages));
  metrics.natsUp.read(only(coordinator.natsUp === undefined ? undefined : Number(coordinator.natsUp)));
}

function readWork(metrics: Metrics, engine: Engine | undefined): void {
  const sums = new Map<string, { labels: WorkLabels; pending: number; inFlight: number }>();
  const states = { waiting: 0, running: 0, stopping: 0 };
  for (const { id } of engine?.insides.scheduler.runs.values() ?? []) {
    const run = engine!.run(id);
    const labels = labelsOf(run.request);
    const key = `${labels.model}/${labels.transport}`;
    const sum = sums.get(key) ?? { labels, pending: 0, inFlight: 0 };
    const { pending, inFlight } = engine!.counts(run);
    sums.set(key, { labels, pending: sum.pending + pending, inFlight: sum.inFlight + inFlight });
    if (run.state in states) states[run.state as keyof typeof states]++;
  }
  metrics.tasksPending.read([...sums.values()].map(({ labels, pending }) => [{ ...labels }, pending]));
  metrics.tasksInFlight.read([...sums.values()].map(({ labels, inFlight }) => [{ ...labels }, inFlight]));
  metrics.runsActive.read(Object.entries(states).map(([state, runs]) => [{ state }, runs]));
  metrics.runsKept.read(only(engine?.runsKept));
}

function readRuns(metrics: Metrics, engine: Engine | undefined): void {
  const active = [...(engine?.insides.scheduler.runs.keys() ?? [])].slice(-limits.runsShownMax);
  const runs = active.map((id) => engine!.run(id)).filter(({ ended }) => !ended);
  const perRun = (value: (run: RunRecord) => number): Reading<'run'>[] =>
    runs.map((run) => [{ run: run.id }, value(run)]);
  metrics.runInfo.read(
    runs.map(({ id, request }) => {
      const { workload, policy } = request;
      return [{ run: id, workload, ...labelsOf(request), policy }, 1];
    }),
  );
  metrics.runTasks.read(runs.flatMap((run) => tasksOf(run, engine!)));
  metrics.runNodeTasks.read(runs.flatMap(sharesOf));
  metrics.runSubmitted.read(perRun(({ submittedAt }) => submittedAt / 1000));
  metrics.runCpu.read(perRun(({ accounting }) => accounting.cpuMs / 1000));
  metrics.runMemory.read(perRun(({ accounting }) => accounting.peakRssBytes));
  metrics.runRetries.read(perRun(({ accounting }) => accounting.taskRetries));
  metrics.runSlowest.read(
    runs.flatMap(({ id, accounting: { slowest } }) =>
      slowest === undefined ? [] : [[{ run: id, node: slowest.node }, slowest.wallMs / 1000] as const],
    ),
  );
}

function tasksOf(run: RunRecord, engine: Engine): Reading<'run' | 'state'>[] {
  const { succeeded, failed, cancelled, inFlight, pending } = engine.counts(run);
  const states = { succeeded, failed, cancelled, 'in-flight': inFlight, pending };
  return Object.entries(states).map(([state, tasks]) => [{ run: run.id, state }, tasks]);
}

const sharesOf = ({ id, accounting }: RunRecord): Reading<'run' | 'node'>[] =>
  [...accounting.nodes].slice(0, limits.runNodesShownMax).map(([node, { tasks }]) => [{ run: id, node }, tasks]);

function readNodes(metrics: Metrics, all: readonly NodeRecord[]): void {
  const states = { alive: 0, draining: 0, drained: 0, awaited: 0, lost: 0 };
  for (const { state, awaited } of all) states[awaited ? 'awaited' : state]++;
  metrics.nodes.read(Object.entries(states).map(([state, nodes]) => [{ state }, nodes]));
  const nodes = all.filter(isThere);
  const perNode = (value: (node: NodeRecord) => number): Reading<'node'>[] =>
    nodes.map((node) => [{ node: node.introduction.nodeId }, value(node)]);
  metrics.nodeInfo.read(
    nodes.map(({ introduction: { nodeId, version, runtime, machine }, state }) => [
      { node: nodeId, version, runtime, machine: machine.id, state },
      1,
    ]),
  );
  metrics.nodeCores.read(perNode(({ introduction }) => introduction.machine.cores));
  metrics.nodeQuota.read(perNode(({ introduction }) => introduction.machine.quotaCores));
  metrics.nodeHosts.read(perNode(({ pulse }) => pulse.hosts));
  metrics.nodeMemory.read(perNode(({ pulse }) => pulse.rssBytes));
  metrics.nodeSilence.read(perNode(({ lastSeenMs }) => Math.max(0, Date.now() - lastSeenMs) / 1000));
}

function readLanes(metrics: Metrics, engine: Engine | undefined): void {
  const nodes = (engine?.nodes() ?? []).filter(isThere).map(({ introduction, pulse }) => {
    const { nodeId } = introduction;
    const pushed = engine!.insides.scheduler.nodes.get(nodeId)?.attempts.size ?? 0;
    return { labels: { node: nodeId }, chunks: pushed + pulse.pulled, ...engine!.lanes(nodeId) };
  });
  metrics.nodeLanes.read(nodes.map(({ labels, lanes }) => [labels, lanes]));
  metrics.nodeLanesBusy.read(nodes.map(({ labels, busy }) => [labels, busy]));
  metrics.nodeChunks.read(nodes.map(({ labels, chunks }) => [labels, chunks]));
}

export const isThere = ({ state, awaited }: NodeRecord): boolean => state !== 'lost' && !awaited;
