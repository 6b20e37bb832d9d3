/** What the coordinator knows of its nodes, dead or alive. */
import type { Shape } from '@regatta/scheduler';
import type { LimitView } from './limits.ts';

export interface Machine {
  readonly id: string;
  readonly hostname: string;
  readonly osCores: number;
  readonly quotaCores: number;
  readonly quotaLimited: boolean;
  readonly memoryBytes: number;
  readonly cores: number;
}

export interface WorkloadCard {
  readonly name: string;
  readonly kind: 'cpu' | 'io';
  readonly summary: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly defaultJson: string;
    readonly unit: string;
    readonly description: string;
  }[];
}

/** Who a node says it is. */
export interface Introduction {
  readonly nodeId: string;
  readonly machine: Machine;
  readonly workloads: readonly WorkloadCard[];
  readonly runtime: string;
  readonly version: string;
  readonly pid: number;
  /** Equal for all connections of one agent process. */
  readonly instance: string;
  readonly address: string;
  /** What it keeps to. */
  readonly limits: readonly LimitView[];
}

export interface RunOrder {
  readonly runId: string;
  readonly workload: string;
  readonly paramsJson: string;
  readonly shape: Shape;
  readonly taskTimeoutMs: number;
}

export interface Assignment {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  /** A pack of the tasks' inputs; empty where the run has none. */
  readonly inputs: Uint8Array;
}

/** Where orders for one node go. Takes them at once, sends them in batches. */
export interface NodePort {
  open(order: RunOrder): void;
  assign(assignment: Assignment): void;
  cancel(attemptId: number): void;
  close(runId: string): void;
  /** Chunks that no lane has begun come back; with `handBack` all of them do. */
  drain(handBack: boolean): void;
  /** Ends the connection, for a reason that the node is told. */
  hangUp(reason: string): void;
}

export interface Pulse {
  readonly rssBytes: number;
  readonly hosts: number;
  readonly throttledMs: number;
}

/** `drained`: it gets no work and has none left. */
export type NodeState = 'alive' | 'draining' | 'drained' | 'lost';

export interface NodeRecord {
  readonly introduction: Introduction;
  readonly incarnation: number;
  readonly port: NodePort;
  state: NodeState;
  pulse: Pulse;
  lastSeenMs: number;
  /** When each attempt in flight was sent. */
  readonly sentAt: Map<number, number>;
}
