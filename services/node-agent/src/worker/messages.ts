/** What the agent and its host processes say to each other over the process's IPC channel. */

import type { MessagePort } from 'node:worker_threads';
import { pack } from '@regatta/workloads';

/** What a host must know of a run before it takes chunks of it. */
export interface HostRun {
  readonly runId: string;
  readonly workload: string;
  readonly params: Readonly<Record<string, number | string | boolean>>;
  /** Chunks that one thread works on side by side. */
  readonly concurrency: number;
  /** 0 for none. */
  readonly taskTimeoutMs: number;
  /** Its tasks talk to their targets by permit only. */
  readonly polite?: boolean;
}

export interface HostChunk {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  /** A pack of the tasks' inputs; empty where the run has none. */
  readonly inputs: Uint8Array;
}

/** Orders that go out together. */
export type ToHost = readonly HostOrder[];

export type HostOrder =
  | { readonly kind: 'open'; readonly run: HostRun }
  | { readonly kind: 'chunk'; readonly chunk: HostChunk }
  | { readonly kind: 'cancel'; readonly attemptId: number }
  | { readonly kind: 'close'; readonly runId: string }
  /** The attempt's next task may begin. */
  | { readonly kind: 'permit'; readonly attemptId: number }
  /** While it is on no task begins: those who take results are behind. */
  | { readonly kind: 'hold'; readonly on: boolean };

/** What a lane says of a permit: its attempt's next task is to talk to this target; it has, or will not. */
export type PermitWord =
  | { readonly kind: 'ask'; readonly attemptId: number; readonly target: string }
  /** `retryAfterMs`: the target asked to be left alone for so long; 0 where it did not. */
  | { readonly kind: 'done'; readonly attemptId: number; readonly retryAfterMs: number };

export interface HostFailure {
  readonly task: number;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  /** It asks not to be tried again before. */
  readonly retryAfterMs?: number;
}

/** Tasks [from, to) of an attempt are done. Times in the units of their names. */
export interface HostNews {
  readonly attemptId: number;
  /** The thread that speaks; 0 for the host's own. */
  readonly thread: number;
  readonly from: number;
  readonly to: number;
  /** A pack. */
  readonly results: Uint8Array;
  readonly failures: readonly HostFailure[];
  readonly wallUs: Uint32Array;
  /** Empty where tasks share the thread and cannot be told apart. */
  readonly cpuUs: Uint32Array;
  /** CPU time of the thread since its last news. */
  readonly cpuMs: number;
  readonly laneMs: number;
  /** Time the chunk waited in the host for a lane; in its first news only. */
  readonly waitMs: number;
  readonly serializeMs: number;
  readonly end: NewsEnd;
}

/** Something that a task had begun failed when its result was on its way already. */
export interface LateFailure {
  readonly runId: string;
  readonly task: number;
  readonly message: string;
  readonly stack: string;
}

/** `lost`: the thread that worked on it is gone; `why` says how. */
export type NewsEnd =
  | { readonly kind: 'open' | 'completed' | 'stopped' }
  | { readonly kind: 'lost'; readonly why: string };

/** News that nothing more was done, only how the attempt ended; or that all of [from, to) failed. */
export function bareNews(
  attemptId: number,
  from: number,
  end: NewsEnd,
  failures: readonly HostFailure[] = [],
): HostNews {
  return {
    attemptId,
    thread: 0,
    from,
    to: from + failures.length,
    results: pack(failures.map(() => new Uint8Array(0))),
    failures,
    wallUs: new Uint32Array(failures.length),
    cpuUs: new Uint32Array(0),
    cpuMs: 0,
    laneMs: 0,
    waitMs: 0,
    serializeMs: 0,
    end,
  };
}

export interface WorkloadCard {
  readonly name: string;
  readonly kind: 'cpu' | 'io';
  readonly summary: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly default: number | string | boolean;
    readonly unit: string;
    readonly description: string;
  }[];
}

export type FromHost =
  | { readonly kind: 'ready'; readonly workloads: readonly WorkloadCard[] }
  | { readonly kind: 'news'; readonly news: readonly HostNews[]; readonly rssBytes: number; readonly stallMs: number }
  | { readonly kind: 'late'; readonly late: LateFailure }
  | { readonly kind: 'permits'; readonly words: readonly PermitWord[] }
  /** Something that was stopped goes on in this host. */
  | { readonly kind: 'abandoned' };

/** What a pool's thread says to its host; `up`: from now on it hears which attempts are to stop, and there which may begin. */
export type FromThread =
  | Extract<FromHost, { readonly kind: 'late' | 'abandoned' }>
  | { kind: 'news'; news: HostNews }
  | { kind: 'permit'; thread: number; word: PermitWord }
  | { kind: 'up'; thread: number; permits: MessagePort };
