/** What the coordinator orders and what it is told, in the agent's own terms. Times in ms, sizes in bytes. */

export interface RunOrder {
  readonly runId: string;
  readonly workload: string;
  readonly params: Readonly<Record<string, number | string | boolean>>;
  /** No zeros. */
  readonly shape: { readonly processes: number; readonly threads: number; readonly concurrency: number };
  /** 0 for none. */
  readonly taskTimeoutMs: number;
  /** Its chunks come from a queue, not from the coordinator. */
  readonly pulled: boolean;
  /** Its tasks talk to their targets by permit only. */
  readonly polite?: boolean;
}

export interface Assignment {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  /** It may have killed a host process: it gets one to itself. */
  readonly alone: boolean;
  /** A pack of the tasks' inputs; empty where the run has none. */
  readonly inputs: Uint8Array;
}

export interface Failure {
  readonly task: number;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  /** It asks not to be tried again before. */
  readonly retryAfterMs?: number;
}

export interface Timing {
  readonly wallUs: Uint32Array;
  readonly cpuUs: Uint32Array;
  readonly cpuMs: number;
  readonly laneMs: number;
  readonly waitMs: number;
  readonly serializeMs: number;
  readonly residentMs: number;
  readonly bytes: number;
  readonly host: number;
  readonly hostRssBytes: number;
  readonly stallMs: number;
  readonly throttledMs: number;
}

const NO_TIMES = new Uint32Array(0);

/** Of what was not run here. */
export const NO_TIMING: Timing = {
  wallUs: NO_TIMES,
  cpuUs: NO_TIMES,
  cpuMs: 0,
  laneMs: 0,
  waitMs: 0,
  serializeMs: 0,
  residentMs: 0,
  bytes: 0,
  host: 0,
  hostRssBytes: 0,
  stallMs: 0,
  throttledMs: 0,
};

export interface Loss {
  readonly code: 'HOST_DIED' | 'MEMORY_EXCEEDED' | 'TASK_TIMED_OUT' | 'THREAD_DIED' | 'DELIVERED_TOO_OFTEN';
  readonly message: string;
  readonly exit: number | undefined;
  readonly signal: string;
  readonly rssBytes: number;
  readonly stderrTail: string;
  readonly culprit: number | undefined;
}

export type OutcomeEnd =
  | { readonly kind: 'open' | 'completed' | 'stopped' }
  | { readonly kind: 'lost'; readonly loss: Loss };

/** Tasks [from, to) of an attempt are done, and perhaps the attempt has ended. */
export interface Outcome {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  /** A pack. */
  readonly results: Uint8Array;
  readonly failures: readonly Failure[];
  readonly timing: Timing;
  readonly end: OutcomeEnd;
}
