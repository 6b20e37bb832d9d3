/**
 * Unix time in ms, with parts of one, that never goes back: not where the system's clock is set, and not over the lives of
 * a coordinator. Deadlines and retries outlive a process, so their times must mean the same in the next one.
 */
export class Clock {
  #shiftMs = 0;

  now(): number {
    return performance.timeOrigin + performance.now() + this.#shiftMs;
  }

  /** From now on it is at least so late. */
  notBefore(at: number): void {
    this.#shiftMs += Math.max(0, at - this.now());
  }
}
