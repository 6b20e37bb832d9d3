/** Lanes on this process's own event loop: as many chunks of a run side by side as its concurrency says. */
import { newThread, workThrough } from './lane.ts';
import type { Lanes, Outlet } from './lanes.ts';
import type { Stall } from './stall.ts';
import { findWorkload } from './workload-table.ts';

export function inlineLanes(stall: Stall, outlet: Outlet): Lanes {
  const thread = newThread(stall);
  const queues = new Map<string, LaneQueue>();
  return async (run, shared, chunk, cancelled) => {
    const receivedAt = performance.now();
    const queue = queues.get(run.runId) ?? new LaneQueue(run.concurrency);
    queues.set(run.runId, queue);
    await queue.enter(cancelled);
    try {
      const workload = findWorkload(run.workload);
      await workThrough({ workload, run, chunk, receivedAt, shared, cancelled, outlet }, thread);
    } finally {
      if (queue.leave()) queues.delete(run.runId);
    }
  };
}

/** First come, first served. */
class LaneQueue {
  #free: number;
  readonly #lanes: number;
  readonly #waiting = new Set<() => void>();

  constructor(lanes: number) {
    this.#free = lanes;
    this.#lanes = lanes;
  }

  /** Resolves when a lane is free, or at once when cancelled: what is cancelled finds that out by itself. */
  async enter(cancelled: AbortSignal): Promise<void> {
    this.#free--;
    if (this.#free >= 0) return;
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      cancelled.addEventListener('abort', () => this.#waiting.delete(resolve) && resolve(), { once: true });
    });
  }

  /** @returns whether nobody is left */
  leave(): boolean {
    this.#free++;
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      next();
    }
    return this.#free === this.#lanes;
  }
}
