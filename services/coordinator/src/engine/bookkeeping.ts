/** What nodes say of their work, and how it adds up for a run. */
import type { NodeRecord } from './fleet.ts';
import { limits } from './limits.ts';
import type { Accounting, RunRecord } from './run-record.ts';

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
  }[];
  readonly timing: Timing;
  readonly end:
    | { readonly kind: 'open' | 'completed' | 'stopped' }
    | { readonly kind: 'lost'; readonly loss: OutcomeLoss };
}

/** Adds an accepted outcome to the run's sums. */
export function account(run: RunRecord, node: NodeRecord, outcome: Outcome, now: number): void {
  const { accounting } = run;
  const { timing, end } = outcome;
  accounting.cpuMs += timing.cpuMs;
  accounting.waitMs += timing.waitMs;
  accounting.serializeMs += timing.serializeMs;
  accounting.resultBytes += timing.bytes;
  accounting.stallMs = Math.max(accounting.stallMs, timing.stallMs);
  accounting.taskWallMs += addTaskTimes(accounting, node.introduction.nodeId, outcome);
  const share = accounting.nodes.get(node.introduction.nodeId);
  if (share !== undefined) {
    share.tasks += outcome.to - outcome.from;
    share.throttledMs = timing.throttledMs;
    if (timing.host > 0 && (share.hostRss.has(timing.host) || share.hostRss.size < limits.hostsPerNodeMax)) {
      share.hostRss.set(timing.host, Math.max(share.hostRss.get(timing.host) ?? 0, timing.hostRssBytes));
    }
  }
  if (end.kind === 'open') return;
  // A host takes several attempts with it, and is one host.
  const ofHost = end.kind === 'lost' && timing.host > 0 && end.loss.code !== 'THREAD_DIED';
  if (ofHost && share !== undefined && share.hostsLost.size < limits.hostsPerNodeMax) share.hostsLost.add(timing.host);
  accounting.chunks++;
  if (share !== undefined) share.chunks++;
  const sentAt = node.sentAt.get(outcome.attemptId);
  node.sentAt.delete(outcome.attemptId);
  if (sentAt !== undefined) accounting.dispatchMs += Math.max(0, now - sentAt - timing.residentMs);
}

/** Remembers the slowest task. @returns the tasks' wall time together, in ms */
function addTaskTimes(accounting: Accounting, node: string, { from, timing: { wallUs, cpuUs } }: Outcome): number {
  let sumUs = 0;
  let slowest = 0;
  for (let i = 0; i < wallUs.length; i++) {
    sumUs += wallUs[i]!;
    if (wallUs[i]! > wallUs[slowest]!) slowest = i;
  }
  const wallMs = (wallUs[slowest] ?? 0) / 1000;
  if (wallMs > (accounting.slowest?.wallMs ?? 0)) {
    const us = cpuUs[slowest];
    accounting.slowest = { task: from + slowest, node, wallMs, cpuMs: us === undefined ? undefined : us / 1000 };
  }
  return sumUs / 1000;
}
