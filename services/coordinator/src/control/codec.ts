/** Between the control service's wire types and the engine's own. */

import { messageOf } from '@regatta/kernel';
import type {
  DescribeCoordinatorResponse,
  GetStatusResponse,
  NodeStatus,
  RunSpec,
  RunStatus,
  SubmitRunWithInputsRequest,
  Accounting as WireAccounting,
  RunState as WireRunState,
} from '@regatta/proto/control';
import { protocol } from '@regatta/proto/version';
import type { Workload } from '@regatta/proto/workload';
import type { PolicyName, RunCounts, RunState } from '@regatta/scheduler';
import type { Access } from '../access/refusals.ts';
import type { RefusedNodes } from '../agents/refused-nodes.ts';
import type { Coordinator } from '../coordinator.ts';
import type { Engine } from '../engine/engine.ts';
import type { NodeRecord, WorkloadCard } from '../engine/fleet.ts';
import type { Accounting, RunRecord, RunRequest } from '../engine/run-record.ts';
import { coordinatorLimitViews } from './limit-views.ts';
import type { UploadFrame } from './upload.ts';

const STATES = {
  waiting: 1,
  running: 2,
  stopping: 3,
  succeeded: 4,
  failed: 5,
  cancelled: 6,
} as const satisfies Record<RunState, WireRunState>;

export const wireState = (state: RunState): WireRunState => STATES[state];

/** A run as asked for; what is missing is filled in with what admission refuses or takes as "no wish". */
export function requestOf(spec: RunSpec | undefined): RunRequest {
  const shape = spec?.shape ?? { processes: 0, threads: 0, concurrency: 0 };
  return {
    workload: spec?.workload ?? '',
    kind: spec?.kind === 2 ? 'io' : 'cpu',
    paramsJson: spec?.paramsJson ?? '{}',
    tasks: spec?.tasks ?? 0,
    model: spec?.model ?? '',
    shape: { ...shape, concurrency: Math.max(1, shape.concurrency) },
    nodes: spec?.nodes ?? 0,
    policy: (spec?.policy || 'awf') as PolicyName,
    chunk: spec?.chunk ?? 0,
    retries: spec?.retries ?? 0,
    taskTimeoutMs: spec?.taskTimeoutMs ?? 0,
    deadlineMs: spec?.deadlineMs ?? 0,
    maxInFlightPerTarget: spec?.maxInFlightPerTarget ?? 0,
    maxRatePerTarget: spec?.maxRatePerTarget ?? 0,
    speculate: spec?.speculate === true,
    until: (spec?.until || 'all') as RunRequest['until'],
    transport: (spec?.transport ?? '') as RunRequest['transport'],
  };
}

export function uploadFrameOf({ frame }: SubmitRunWithInputsRequest): UploadFrame {
  if (frame?.$case === 'spec') return { kind: 'run', request: requestOf(frame.value) };
  return frame?.$case === 'inputs' ? { kind: 'inputs', pack: frame.value } : { kind: 'unknown' };
}

/** @param failuresMax how many of its failures to tell */
export function statusOf(run: RunRecord, counts: RunCounts, failuresMax: number): RunStatus {
  const { request, reason, submittedAt, startedAt, endedAt } = run;
  const { succeeded, failed, cancelled, inFlight, pending } = counts;
  return {
    runId: run.id,
    // One that an older coordinator took knows nothing of it.
    spec: { ...request, kind: request.kind === 'io' ? 2 : 1, speculate: request.speculate === true },
    state: STATES[run.state],
    reason,
    succeeded,
    failed,
    cancelled,
    inFlight,
    pending,
    submittedAtMs: submittedAt,
    startedAtMs: startedAt,
    endedAtMs: endedAt,
    wallMs: run.wallMs,
    failures: run.failures.slice(0, failuresMax),
    accounting: accountingOf(run.accounting),
    late: run.late.slice(0, failuresMax),
  };
}

function accountingOf(accounting: Accounting): WireAccounting {
  const { peakRssBytes, throttledMs, hostRestarts } = accounting;
  const nodes = [...accounting.nodes].map(([node, { tasks, chunks, shape, hostRss }]) => ({
    node,
    tasks,
    chunks,
    shape,
    hosts: hostRss.size,
  }));
  return { ...accounting, peakRssBytes, throttledMs, hostRestarts, nodes };
}

export function nodeStatusOf(node: NodeRecord, { lanes, busy }: { lanes: number; busy: number }): NodeStatus {
  const { introduction, incarnation, state, pulse, clock, lastSeenMs } = node;
  const { nodeId, address, pid, machine, runtime, version, limits } = introduction;
  const { metricsAddress = '', protocol: spoken = 0 } = introduction;
  const who = { id: nodeId, incarnation, state, address, pid, machine, runtime, version, limits: [...limits] };
  const how = { metricsAddress, protocol: spoken, clockRoundTripMs: clock.now?.roundTripMs ?? 0 };
  return { ...who, ...how, ...pulse, clockOffsetMs: clock.now?.offsetMs, lanes, busyLanes: busy, lastSeenMs };
}

/** What a coordinator knows of its own process, whether it leads or not. */
export interface Self {
  readonly version: string;
  readonly access: Access;
  readonly refusedNodes: RefusedNodes;
  /** Empty for none. */
  readonly metricsUrl: () => string;
}

type Standing = Pick<Coordinator, 'engine' | 'role' | 'leaderAddresses'>;

export function descriptionOf(coordinator: Standing, self: Self): DescribeCoordinatorResponse {
  const { role, leaderAddresses } = coordinator;
  return {
    version: self.version,
    role,
    leaders: [...leaderAddresses],
    complaint: role === 'idle' ? complaintOf(coordinator) : '',
    protocolMin: protocol.min,
    protocolMax: protocol.max,
    nowMs: Date.now(),
    insecure: [...self.access.insecure],
    metricsUrl: self.metricsUrl(),
  };
}

/** Why it cannot be asked. */
function complaintOf(coordinator: Standing): string {
  try {
    void coordinator.engine;
    return '';
  } catch (thrown) {
    return messageOf(thrown);
  }
}

export function coordinatorStatusOf(engine: Engine, self: Self): GetStatusResponse {
  const { version, access } = self;
  const { stepClock, shelf } = engine;
  return {
    version,
    pid: process.pid,
    uptimeMs: process.uptime() * 1000,
    rssBytes: process.memoryUsage.rss(),
    runsActive: engine.runsActive,
    runsKept: engine.runsKept,
    keptMemoryBytes: shelf.memoryBytes,
    keptDiskBytes: shelf.diskBytes,
    steps: stepClock.steps,
    stepMeanUs: stepClock.meanUs,
    stepMaxUs: stepClock.longestUs,
    limits: coordinatorLimitViews(engine.noProgressMs),
    natsServers: [...engine.queueServers],
    natsComplaint: engine.complaint ?? '',
    journal: engine.durable,
    wantsToken: access.wantsToken,
    insecure: [...access.insecure],
    refusedMissing: access.refused.missing,
    refusedWrong: access.refused.wrong,
    metricsUrl: self.metricsUrl(),
    refusedNodes: self.refusedNodes.list(),
  };
}

export const workloadOf = ({ name, kind, summary, parameters }: WorkloadCard): Workload => ({
  name,
  kind: kind === 'io' ? 2 : 1,
  summary,
  parameters: [...parameters],
});
