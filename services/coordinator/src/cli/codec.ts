/** Between the control service's wire types and what the CLI shows. */

import type {
  DescribeCoordinatorResponse,
  GetStatusResponse,
  NodeStatus,
  RunStatus,
  RunSpec as WireRunSpec,
  RunState as WireRunState,
} from '@regatta/proto/control';
import type { TaskFailure, Shape as WireShape, Workload } from '@regatta/proto/workload';
import type { PolicyName, RunState, Shape } from '@regatta/scheduler';
import type {
  AccountingView,
  CoordinatorView,
  DescriptionView,
  FailureView,
  NodeView,
  RunSpec,
  RunView,
  WorkloadView,
} from './views.ts';

const STATES: Readonly<Record<number, RunState>> = {
  1: 'waiting',
  2: 'running',
  3: 'stopping',
  4: 'succeeded',
  5: 'failed',
  6: 'cancelled',
};

export const runStateOf = (state: WireRunState): RunState => STATES[state] ?? 'waiting';

export const wireSpecOf = (spec: RunSpec): WireRunSpec => ({
  ...spec,
  kind: spec.kind === 'io' ? 2 : 1,
  speculate: spec.speculate === true,
});

const shapeOf = (shape: WireShape | undefined): Shape => shape ?? { processes: 0, threads: 0, concurrency: 0 };

export function runViewOf(wire: RunStatus): RunView {
  const { runId, reason, succeeded, failed, cancelled, inFlight, pending, submittedAtMs, wallMs } = wire;
  return {
    runId,
    spec: specOf(wire.spec),
    state: runStateOf(wire.state),
    reason,
    succeeded,
    failed,
    cancelled,
    inFlight,
    pending,
    submittedAtMs,
    wallMs,
    failures: wire.failures.map(failureOf),
    late: wire.late.map(({ task, message, stack }) => ({ task, message, stack })),
    accounting: accountingOf(wire),
  };
}

function specOf(spec: WireRunSpec | undefined): RunSpec {
  if (spec === undefined) throw new Error('the coordinator sent a run without its spec');
  return {
    ...spec,
    policy: spec.policy as PolicyName,
    transport: spec.transport as RunSpec['transport'],
    until: spec.until as RunSpec['until'],
    kind: spec.kind === 2 ? 'io' : 'cpu',
    shape: shapeOf(spec.shape),
  };
}

function failureOf(wire: TaskFailure): FailureView {
  const { task, node, attempt, code, message, stack, exit, signal, rssBytes, stderrTail } = wire;
  const how = { exit: exit ?? null, signal: signal || null };
  return { task, node, attempt, code, message, stack, ...how, rssBytes, stderrTail };
}

function accountingOf({ runId, accounting }: RunStatus): AccountingView {
  if (accounting === undefined) throw new Error(`the coordinator sent ${runId} without its accounting`);
  const { slowest } = accounting;
  const told = slowest === undefined ? null : { ...slowest, cpuMs: slowest.cpuMs ?? null };
  return {
    ...accounting,
    slowest: told,
    nodes: accounting.nodes.map((share) => ({ ...share, shape: shapeOf(share.shape) })),
  };
}

const NODE_STATES = ['alive', 'draining', 'drained', 'lost'] as const;

export const coordinatorViewOf = (wire: GetStatusResponse): CoordinatorView => wire;

const ROLES = ['leading', 'uncertain', 'standing-by', 'idle'] as const;

export const descriptionViewOf = (wire: DescribeCoordinatorResponse): DescriptionView => ({
  ...wire,
  role: ROLES.find((known) => known === wire.role) ?? 'idle',
});

export function nodeViewOf(wire: NodeStatus): NodeView {
  const { id, state, address, pid, runtime, version, machine, lanes, busyLanes, rssBytes, hosts, throttledMs } = wire;
  return {
    id,
    state: NODE_STATES.find((known) => known === state) ?? 'lost',
    address,
    pid,
    runtime,
    version,
    hostname: machine?.hostname ?? '',
    machine: machine?.id ?? '',
    cores: machine?.cores ?? 0,
    osCores: machine?.osCores ?? 0,
    quota: machine?.quotaCores ?? 0,
    quotaLimited: machine?.quotaLimited ?? false,
    memoryBytes: machine?.memoryBytes ?? 0,
    lanes,
    busyLanes,
    rssBytes,
    hosts,
    throttledMs,
    limits: wire.limits,
    metricsAddress: wire.metricsAddress,
    queueComplaint: wire.queueComplaint,
    clockOffsetMs: wire.clockOffsetMs ?? null,
    clockRoundTripMs: wire.clockRoundTripMs,
    protocol: wire.protocol,
    lastSeenMs: wire.lastSeenMs,
  };
}

export const workloadViewOf = ({ name, kind, summary, parameters }: Workload): WorkloadView => ({
  name,
  kind: kind === 2 ? 'io' : 'cpu',
  summary,
  parameters: parameters.map(({ defaultJson, ...parameter }) => ({ ...parameter, default: JSON.parse(defaultJson) })),
});
