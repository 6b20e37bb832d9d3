/** What reached the target and when: by this tests tell whether its callers were polite. */

export interface TargetStats {
  readonly requests: number;
  readonly inFlight: number;
  readonly inFlightMax: number;
  /** The most that began within any 1000 ms, not only those of a clock's second. */
  readonly perSecondMax: number;
  /** Answers sent in full, by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Those that the caller gave up, or that were broken off on purpose. */
  readonly cutShort: number;
}

const WINDOW_MS = 1000;

export class Meter {
  #requests = 0;
  #inFlight = 0;
  #inFlightMax = 0;
  #perSecondMax = 0;
  #cutShort = 0;
  readonly #statuses = new Map<number, number>();
  /** When the requests of the last second began; those before #oldest are out of it. */
  #begun: number[] = [];
  #oldest = 0;

  /** @param now ms, of a clock that never goes back */
  begin(now: number): void {
    this.#requests++;
    this.#inFlightMax = Math.max(this.#inFlightMax, ++this.#inFlight);
    this.#begun.push(now);
    while (this.#begun[this.#oldest]! <= now - WINDOW_MS) this.#oldest++;
    if (this.#oldest > 1024 && 2 * this.#oldest > this.#begun.length) {
      this.#begun = this.#begun.slice(this.#oldest);
      this.#oldest = 0;
    }
    this.#perSecondMax = Math.max(this.#perSecondMax, this.#begun.length - this.#oldest);
  }

  /** @param status undefined where the answer was cut short */
  end(status: number | undefined): void {
    this.#inFlight--;
    if (status === undefined) this.#cutShort++;
    else this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  read(): TargetStats {
    return {
      requests: this.#requests,
      inFlight: this.#inFlight,
      inFlightMax: this.#inFlightMax,
      perSecondMax: this.#perSecondMax,
      statuses: Object.fromEntries(this.#statuses),
      cutShort: this.#cutShort,
    };
  }
}
