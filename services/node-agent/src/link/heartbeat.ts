/** Tells the coordinator again and again that this node lives, and notices when it does not answer (K2). */

/** How the node is, as a heartbeat says. */
export interface Pulse {
  readonly rssBytes: number;
  readonly hosts: number;
  readonly throttledMs: number;
  /** Chunks from queues that it holds. */
  readonly pulled: number;
  /** Why it cannot take any; empty where it can. */
  readonly queueComplaint: string;
}

interface Beat extends Pulse {
  /** By the clock of this process, to be echoed. */
  readonly sentMs: number;
  /** The same moment since the epoch. */
  readonly wallMs: number;
  /** How long the newest echo took; 0 while there is none that was not told yet. */
  readonly roundTripMs: number;
}

export class Heartbeat {
  readonly #send: (beat: Beat) => void;
  readonly #pulse: () => Pulse;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the oldest heartbeat without an answer was sent. A time in which this process stood still does not count. */
  #unansweredAt: number | undefined;
  /** When the newest one was sent, and how long its echo took; 0 while there is none. */
  #sentMs = 0;
  #roundTripMs = 0;

  constructor(send: (beat: Beat) => void, pulse: () => Pulse, onSilence: () => void) {
    this.#send = send;
    this.#pulse = pulse;
    this.#onSilence = onSilence;
  }

  start(everyMs: number, leaseMs: number): void {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#unansweredAt ??= now;
      if (now - this.#unansweredAt > leaseMs) return this.#onSilence();
      const clock = { sentMs: now, wallMs: Date.now(), roundTripMs: this.#roundTripMs };
      this.#send({ ...clock, ...this.#pulse() });
      this.#sentMs = now;
      this.#roundTripMs = 0;
    }, everyMs);
  }

  /** @param sentMs of the heartbeat that it is the echo of */
  acknowledged(sentMs: number): void {
    if (sentMs === this.#sentMs) this.#roundTripMs = performance.now() - sentMs;
    this.#unansweredAt = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
