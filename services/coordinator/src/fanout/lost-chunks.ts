/**
 * Chunks that went into a queue and are nowhere any more: neither in the stream, nor with a node, nor on their way as
 * outcomes. A server that lost what it had acknowledged brings that about, or somebody who clears a stream by hand;
 * nobody would ever tell of them.
 */
import { limits } from './limits.ts';
import type { WorkQueue } from './queue.ts';

export interface LostChunksOptions {
  readonly queue: Pick<WorkQueue, 'depth'>;
  /** By run that goes on through a queue: how many chunks are out, and how far it has come. */
  readonly out: () => ReadonlyMap<string, { readonly chunks: number; readonly done: number }>;
  readonly onLost: (runId: string) => void;
}

/** Looks now and then; a run is told of that stands still with chunks out and an empty queue in several looks in a row. */
export function watchForLostChunks({ queue, out, onLost }: LostChunksOptions): NodeJS.Timeout {
  const still = new Map<string, { done: number; looks: number }>();
  const look = async (): Promise<void> => {
    const now = out();
    for (const runId of [...still.keys()]) if (!now.has(runId)) still.delete(runId);
    for (const [runId, { chunks, done }] of now) {
      const depth = chunks > 0 ? await queue.depth(runId) : undefined;
      const empty = depth !== undefined && depth.queued + depth.pending + depth.unsent === 0;
      const before = still.get(runId);
      const looks = empty && before?.done === done ? before.looks + 1 : 0;
      still.set(runId, { done, looks });
      if (looks < limits.lostLooks) continue;
      still.delete(runId);
      onLost(runId);
    }
  };
  return setInterval(() => void look(), limits.lostLookMs).unref();
}
