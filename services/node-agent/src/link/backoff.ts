/** How long to wait before the next try: doubling, bounded, and jittered so that a crowd does not return in step. */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param random uniform in [0, 1) */
  constructor(minMs: number, maxMs: number, random: () => number = Math.random) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  reset(): void {
    this.#failures = 0;
  }

  /** Between half of the step's length and all of it, in ms. */
  nextMs(): number {
    const step = Math.min(this.#maxMs, this.#minMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return step * (0.5 + this.#random() / 2);
  }
}
