/** What nodes say of their work, and how it adds up for a run. */
import type { NodeRecord } from './fleet.ts';
import type { RunRecord } from './run-record.ts';

export interface Timing {
  readonly wallUs: Uint32Array;
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
  let wallUs = 0;
  for (const us of timing.wallUs) wallUs += us;
  accounting.taskWallMs += wallUs / 1000;
  const share = accounting.nodes.get(node.introduction.nodeId);
  if (share !== undefined) {
    share.tasks += outcome.to - outcome.from;
    share.throttledMs = timing.throttledMs;
    if (timing.host > 0) {
      share.hostRss.set(timing.host, Math.max(share.hostRss.get(timing.host) ?? 0, timing.hostRssBytes));
    }
  }
  if (end.kind === 'open') return;
  accounting.chunks++;
  if (share !== undefined) share.chunks++;
  const sentAt = node.sentAt.get(outcome.attemptId);
  node.sentAt.delete(outcome.attemptId);
  if (sentAt !== undefined) accounting.dispatchMs += Math.max(0, now - sentAt - timing.residentMs);
}
