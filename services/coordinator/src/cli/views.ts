/** What the CLI shows of the coordinator's answers. Times in ms unless the name says otherwise. */
import type { LimitView } from '@regatta/kernel';
import type { RunState, Shape } from '@regatta/scheduler';
import type { NodeState } from '../engine/fleet.ts';
import type { RunRequest } from '../engine/run-record.ts';

/** A run as asked for. Zeros in its shape mean as many as fit. */
export type RunSpec = RunRequest;

export interface FailureView {
  readonly task: number;
  readonly node: string;
  readonly attempt: number;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly exit: number | null;
  readonly signal: string | null;
  readonly rssBytes: number;
  readonly stderrTail: string;
}

/** Something that a task had begun failed when its result was sent already. */
export interface LateFailureView {
  readonly task: number;
  readonly message: string;
  readonly stack: string;
}

export interface AccountingView {
  readonly cpuMs: number;
  readonly dispatchMs: number;
  readonly serializeMs: number;
  readonly waitMs: number;
  readonly taskWallMs: number;
  readonly resultBytes: number;
  readonly chunks: number;
  readonly taskRetries: number;
  readonly lostAttempts: number;
  /** Chunks that were given to a second node; and how often that one was first. */
  readonly copies: number;
  readonly copiesWon: number;
  readonly fenced: number;
  /** Host processes that died or were killed over its tasks. */
  readonly hostRestarts: number;
  /** What failed after its task's result was sent. */
  readonly lateFailures: number;
  readonly peakRssBytes: number;
  readonly stallMs: number;
  readonly throttledMs: number;
  readonly slowest: {
    readonly task: number;
    readonly node: string;
    readonly wallMs: number;
    /** Null where tasks shared a thread and could not be told apart. */
    readonly cpuMs: number | null;
  } | null;
  readonly nodes: readonly {
    readonly node: string;
    readonly tasks: number;
    readonly chunks: number;
    readonly hosts: number;
    readonly shape: Shape;
  }[];
}

export interface RunView {
  readonly runId: string;
  readonly spec: RunSpec;
  readonly state: RunState;
  readonly reason: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly inFlight: number;
  readonly pending: number;
  readonly submittedAtMs: number;
  readonly wallMs: number;
  readonly failures: readonly FailureView[];
  readonly late: readonly LateFailureView[];
  readonly accounting: AccountingView;
}

export interface NodeView {
  readonly id: string;
  readonly state: NodeState;
  readonly address: string;
  readonly pid: number;
  readonly runtime: string;
  readonly version: string;
  readonly hostname: string;
  readonly machine: string;
  /** Cores that runs are planned on. */
  readonly cores: number;
  readonly osCores: number;
  /** Cores that the cgroup allows. */
  readonly quota: number;
  readonly quotaLimited: boolean;
  readonly memoryBytes: number;
  readonly lanes: number;
  readonly busyLanes: number;
  readonly rssBytes: number;
  readonly hosts: number;
  readonly throttledMs: number;
  readonly limits: readonly LimitView[];
  /** HOST:PORT where Prometheus reaches its metrics; empty for none. */
  readonly metricsAddress: string;
  /** Why it cannot take chunks from queues; empty where it can. */
  readonly queueComplaint: string;
  /** How far its clock is ahead of the coordinator's, to within half of the round trip; null while that is not known. */
  readonly clockOffsetMs: number | null;
  readonly clockRoundTripMs: number;
  /** Version of the link that it speaks with the coordinator; 0 where that is not known. */
  readonly protocol: number;
  /** By the coordinator's clock, Unix time. */
  readonly lastSeenMs: number;
}

/** A node that the coordinator refused, and that has not joined since. */
export interface RefusedNodeView {
  /** Empty where it did not say. */
  readonly nodeId: string;
  readonly address: string;
  readonly code: string;
  readonly message: string;
  readonly atMs: number;
  readonly times: number;
}

/** What a coordinator says of its own process, whether it leads or not. */
export interface DescriptionView {
  readonly version: string;
  readonly role: 'leading' | 'uncertain' | 'standing-by' | 'idle';
  /** Where the one that leads is, HOST:PORT each, as far as it knows. */
  readonly leaders: readonly string[];
  /** Why it is idle; empty where it is not. */
  readonly complaint: string;
  /** Versions of the link that it speaks with nodes. */
  readonly protocolMin: number;
  readonly protocolMax: number;
  /** Its clock, Unix time. */
  readonly nowMs: number;
  readonly insecure: readonly string[];
  /** Empty for none. */
  readonly metricsUrl: string;
}

/** How the coordinator itself does. */
export interface CoordinatorView {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly rssBytes: number;
  readonly runsActive: number;
  readonly runsKept: number;
  readonly keptMemoryBytes: number;
  readonly keptDiskBytes: number;
  readonly steps: number;
  readonly stepMeanUs: number;
  readonly stepMaxUs: number;
  readonly limits: readonly LimitView[];
  /** HOST:PORT each; empty where it goes without NATS. */
  readonly natsServers: readonly string[];
  /** Why NATS cannot be used just now; empty where it can. */
  readonly natsComplaint: string;
  /** Whether runs outlive the coordinator. */
  readonly journal: boolean;
  /** Whether calls must carry a token. */
  readonly wantsToken: boolean;
  /** What is open to others and should not be, a line each. */
  readonly insecure: readonly string[];
  /** Calls without a token, and with a wrong one, since it started. */
  readonly refusedMissing: number;
  readonly refusedWrong: number;
  /** Where its metrics are; empty for none. */
  readonly metricsUrl: string;
  /** The newest first. */
  readonly refusedNodes: readonly RefusedNodeView[];
}

/** What came of living a run's recorded events again. */
export interface ReplayView {
  /** From the run's submission to its end. */
  readonly events: number;
  /** Those before, to come by the state of the scheduler then. */
  readonly eventsBefore: number;
  readonly effects: number;
  readonly digest: number;
  readonly identical: boolean;
  /** Where the first difference is; empty where there is none. */
  readonly difference: string;
  /** Otherwise it was replayed as far as it is. */
  readonly ended: boolean;
}

export interface WorkloadView {
  readonly name: string;
  readonly kind: 'cpu' | 'io';
  readonly summary: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly default: unknown;
    readonly unit: string;
    readonly description: string;
  }[];
}

export interface ReasonView {
  readonly code: string;
  readonly text: string;
}

/** Results of tasks [from, to), as a pack. */
export interface ResultPart {
  readonly from: number;
  readonly to: number;
  readonly results: Uint8Array;
}

export const hasEnded = ({ state }: RunView): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled';
