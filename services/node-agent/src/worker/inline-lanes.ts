/** Lanes on this process's own event loop: as many chunks of a run side by side as its concurrency says. */
import { Gate } from './gate.ts';
import { workThrough } from './lane.ts';
import type { Lanes, Outlet } from './lanes.ts';
import type { PermitWord } from './messages.ts';
import { Permits } from './permits.ts';
import type { Stall } from './stall.ts';
import { Thread } from './thread.ts';
import { findWorkload } from './workload-table.ts';

export function inlineLanes(stall: Stall, given: Outlet, say: (word: PermitWord) => void): Lanes {
  const thread = new Thread(stall);
  const gate = new Gate();
  const permits = new Permits(say);
  const outlet: Outlet = { ...given, flushed: () => gate.opening ?? given.flushed() };
  const queues = new Map<string, LaneQueue>();
  const work: Lanes['work'] = async (run, shared, chunk, cancelled) => {
    const receivedAt = performance.now();
    const queue = queues.get(run.runId) ?? new LaneQueue(run.concurrency);
    queues.set(run.runId, queue);
    const leave = await queue.enter(cancelled);
    try {
      const workload = findWorkload(run.workload);
      await workThrough({ workload, run, chunk, receivedAt, shared, cancelled, outlet, permits }, thread);
    } finally {
      leave();
      if (queue.idle) queues.delete(run.runId);
    }
  };
  return { work, hold: (on) => gate.hold(on), permit: (attemptId) => permits.given(attemptId) };
}

/** First come, first served. */
export class LaneQueue {
  #free: number;
  readonly #lanes: number;
  readonly #waiting = new Set<() => void>();

  constructor(lanes: number) {
    this.#free = lanes;
    this.#lanes = lanes;
  }

  get idle(): boolean {
    return this.#free === this.#lanes && this.#waiting.size === 0;
  }

  /**
   * Resolves when a lane is free; or at once when cancelled, without a lane: what is cancelled finds that out by itself.
   * @returns what gives the lane back
   */
  async enter(cancelled: AbortSignal): Promise<() => void> {
    if (this.#free > 0) {
      this.#free--;
      return () => this.#leave();
    }
    const { promise, resolve } = Promise.withResolvers<() => void>();
    const go = (): void => {
      cancelled.removeEventListener('abort', pass);
      resolve(() => this.#leave());
    };
    const pass = (): void => {
      if (this.#waiting.delete(go)) resolve(() => {});
    };
    this.#waiting.add(go);
    cancelled.addEventListener('abort', pass, { once: true });
    if (cancelled.aborted) pass();
    return promise;
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
