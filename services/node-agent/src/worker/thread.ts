/**
 * What lanes of one thread have in common: its clocks.
 *
 * To read a thread's CPU clock takes longer than many a task, and on most Linux it moves in ticks of some ms. So it is
 * read once a millisecond at most; in between the thread is taken to have been at work.
 */
import type { Stall } from './stall.ts';

const READ_MS_MIN = 1;

export class Thread {
  readonly stall: Stall | undefined;
  /** Time in which tasks held the thread, up to where they first gave it back. */
  blockedMs = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #readUs = 0;
  #reportedUs: number;
  #floor = Promise.resolve();
  /** At work now. */
  #lanes = 0;

  constructor(stall?: Stall) {
    this.stall = stall;
    this.#reportedUs = this.readCpuUs(performance.now());
  }

  /** Thread CPU time, in microseconds; `now` is the time on the other clock. */
  cpuUsAt(now: number): number {
    return now - this.#readAt >= READ_MS_MIN ? this.readCpuUs(now) : this.#readUs + (now - this.#readAt) * 1000;
  }

  /** The same, not estimated. */
  readCpuUs(now: number): number {
    const { user, system } = process.threadCpuUsage();
    this.#readAt = now;
    this.#readUs = user + system;
    return this.#readUs;
  }

  /** One lane at a time has the floor: it says what it begins, and begins it. @returns what gives it up */
  async takeFloor(): Promise<() => void> {
    const before = this.#floor;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#floor = promise;
    await before;
    return resolve;
  }

  /** A lane begins: what the thread did while no lane was at work is nobody's. */
  enter(): void {
    if (this.#lanes++ === 0) this.#reportedUs = this.readCpuUs(performance.now());
  }

  leave(): void {
    this.#lanes--;
  }

  /** CPU time up to `cpuUs` that no news has told of yet. */
  takeUnreportedCpuUs(cpuUs: number): number {
    const unreported = cpuUs - this.#reportedUs;
    this.#reportedUs = cpuUs;
    return unreported;
  }
}
