/** How long the scheduler's steps take. */
export class StepClock {
  #steps = 0;
  #sumMs = 0;
  #longestMs = 0;

  add(ms: number): void {
    this.#steps++;
    this.#sumMs += ms;
    if (ms > this.#longestMs) this.#longestMs = ms;
  }

  get steps(): number {
    return this.#steps;
  }

  /** Microseconds. */
  get meanUs(): number {
    return this.#steps === 0 ? 0 : (1000 * this.#sumMs) / this.#steps;
  }

  get longestUs(): number {
    return 1000 * this.#longestMs;
  }
}
