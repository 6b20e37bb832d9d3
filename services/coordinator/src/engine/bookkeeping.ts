/** What nodes say of their work, and how it adds up for a run. */
import type { Event } from '@regatta/scheduler';
import { slicePack } from '@regatta/workloads';
import { limits } from './limits.ts';
import type { RunRecord, TaskTime } from './run-record.ts';

export interface Timing {
  /** Of each task, in order. */
  readonly wallUs: Uint32Array;
  /** Likewise; empty where tasks shared a thread. */
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

export interface OutcomeLoss {
  readonly code: string;
  readonly message: string;
  readonly exit: number | undefined;
  readonly signal: string;
  readonly rssBytes: number;
  readonly stderrTail: string;
  readonly culprit?: number;
}

/** Tasks [from, to) of an attempt are done, and perhaps the attempt has ended. */
export interface Outcome {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  /** A pack with as many entries. */
  readonly results: Uint8Array;
  readonly failures: readonly {
    readonly task: number;
    readonly code: string;
    readonly message: string;
    readonly stack: string;
    /** It asks not to be tried again before. */
    readonly retryAfterMs?: number;
  }[];
  readonly timing: Timing;
  readonly end:
    | { readonly kind: 'open' | 'completed' | 'stopped' }
    | { readonly kind: 'lost'; readonly loss: OutcomeLoss };
}

/** An outcome without its results, its tasks' times summed up: what is left of it in the books. */
export interface Said extends Pick<Outcome, 'attemptId' | 'runId' | 'from' | 'to' | 'failures' | 'end'> {
  readonly nodeId: string;
  readonly figures: Figures;
}

interface Figures
  extends Pick<
    Timing,
    'cpuMs' | 'waitMs' | 'serializeMs' | 'bytes' | 'host' | 'hostRssBytes' | 'stallMs' | 'throttledMs'
  > {
  /** Between coordinator and node, both ways; with an attempt's end only. */
  readonly dispatchMs: number;
  readonly taskWallMs: number;
  readonly slowest: TaskTime | undefined;
}

/** @param awayMs since the attempt was handed out, where this is its end */
export function saidOf(outcome: Outcome, nodeId: string, awayMs: number | undefined): Said {
  const { attemptId, runId, from, to, failures, end, timing } = outcome;
  const { cpuMs, waitMs, serializeMs, bytes, host, hostRssBytes, stallMs, throttledMs, residentMs } = timing;
  const figures = { cpuMs, waitMs, serializeMs, bytes, host, hostRssBytes, stallMs, throttledMs };
  const dispatchMs = awayMs === undefined ? 0 : Math.max(0, awayMs - residentMs);
  const said = { attemptId, runId, from, to, failures, end, nodeId };
  return { ...said, figures: { ...figures, dispatchMs, ...taskTimesOf(outcome, nodeId) } };
}

function taskTimesOf(
  { from, timing: { wallUs, cpuUs } }: Outcome,
  node: string,
): Pick<Figures, 'taskWallMs' | 'slowest'> {
  let sumUs = 0;
  let slowest = 0;
  for (let i = 0; i < wallUs.length; i++) {
    sumUs += wallUs[i]!;
    if (wallUs[i]! > wallUs[slowest]!) slowest = i;
  }
  if (wallUs.length === 0) return { taskWallMs: 0, slowest: undefined };
  const us = cpuUs[slowest];
  const time = { task: from + slowest, node, wallMs: wallUs[slowest]! / 1000 };
  return { taskWallMs: sumUs / 1000, slowest: { ...time, cpuMs: us === undefined ? undefined : us / 1000 } };
}

/** Adds what was said, and accepted, to the run's sums. */
export function account({ accounting }: RunRecord, { nodeId, from, to, end, figures }: Said): void {
  accounting.cpuMs += figures.cpuMs;
  accounting.waitMs += figures.waitMs;
  accounting.serializeMs += figures.serializeMs;
  accounting.resultBytes += figures.bytes;
  accounting.stallMs = Math.max(accounting.stallMs, figures.stallMs);
  accounting.taskWallMs += figures.taskWallMs;
  accounting.dispatchMs += figures.dispatchMs;
  if ((figures.slowest?.wallMs ?? 0) > (accounting.slowest?.wallMs ?? 0)) accounting.slowest = figures.slowest;
  const { host, hostRssBytes } = figures;
  const share = accounting.nodes.get(nodeId);
  if (share !== undefined) {
    share.tasks += to - from;
    share.throttledMs = figures.throttledMs;
    if (host > 0 && (share.hostRss.has(host) || share.hostRss.size < limits.hostsPerNodeMax)) {
      share.hostRss.set(host, Math.max(share.hostRss.get(host) ?? 0, hostRssBytes));
    }
  }
  if (end.kind === 'open') return;
  // A host takes several attempts with it, and is one host.
  const ofHost = end.kind === 'lost' && host > 0 && end.loss.code !== 'THREAD_DIED';
  if (ofHost && share !== undefined && share.hostsLost.size < limits.hostsPerNodeMax) share.hostsLost.add(host);
  accounting.chunks++;
  if (share !== undefined) share.chunks++;
}

/** What is new in it: of tasks before `task` somebody else has told. */
export function withoutTold(outcome: Outcome, task: number): Outcome {
  const { from, to, results, failures, timing } = outcome;
  if (task <= from) return outcome;
  const start = Math.min(task, to);
  return {
    ...outcome,
    from: task,
    to: Math.max(task, to),
    results: slicePack(results, start - from, to - from),
    failures: failures.filter((failure) => failure.task >= task),
    timing: timingOfPart(timing, start - from, to - from),
  };
}

/**
 * Of one of two nodes that have a chunk: it has let go of it at the first failure. What failed here may go well there, and
 * the other is at work on it.
 */
export function untilFailure(outcome: Outcome): Outcome {
  const { from, to, results, failures, timing } = outcome;
  const first = failures[0]?.task;
  if (first === undefined) return outcome;
  return {
    ...outcome,
    to: first,
    results: slicePack(results, 0, first - from),
    failures: [],
    timing: timingOfPart(timing, 0, first - from, to - from),
    end: { kind: 'stopped' },
  };
}

/** Of tasks [start, end) of so many, for which times are told; sums go by how many of them that are. */
function timingOfPart(timing: Timing, start: number, end: number, of = end): Timing {
  const part = of === 0 ? 0 : (end - start) / of;
  const { wallUs, cpuUs, cpuMs, laneMs, serializeMs, bytes } = timing;
  return {
    ...timing,
    wallUs: wallUs.subarray(start, end),
    cpuUs: cpuUs.subarray(start, end),
    cpuMs: part * cpuMs,
    laneMs: part * laneMs,
    serializeMs: part * serializeMs,
    bytes: part * bytes,
  };
}

/** It as the scheduler hears it. */
export function reportOf(
  outcome: Outcome,
  nodeId: string,
): Omit<Extract<Event, { kind: 'attemptReported' }>, 'incarnation'> {
  const { attemptId, from, to, failures, timing, end, results } = outcome;
  const asked = failures.some(({ retryAfterMs }) => retryAfterMs !== undefined);
  return {
    kind: 'attemptReported',
    nodeId,
    attemptId,
    from,
    to,
    failed: failures.map(({ task }) => task),
    ...(asked && { retryAfterMs: failures.map(({ retryAfterMs }) => retryAfterMs ?? 0) }),
    busyMs: timing.laneMs,
    bytes: results.byteLength,
    end,
  };
}
