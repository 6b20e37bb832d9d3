import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 5;

/** The longest that this thread's event loop was blocked since last asked. */
export class Stall {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #longestMs = 0;

  start(): void {
    this.#delay.enable();
  }

  /**
   * A stretch of code that gave the loop no turn, seen from inside. The delay monitor learns of it a turn later, which
   * is too late for the last news of a chunk.
   */
  sawBlock(ms: number): void {
    if (ms > this.#longestMs) this.#longestMs = ms;
  }

  /** In ms; less the monitor's own resolution. */
  take(): number {
    const monitored = Math.max(0, this.#delay.max / 1e6 - RESOLUTION_MS);
    const longest = Math.max(this.#longestMs, this.#delay.count > 0 ? monitored : 0);
    this.#delay.reset();
    this.#longestMs = 0;
    return longest;
  }
}
