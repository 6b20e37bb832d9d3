/**
 * How far a peer's clock is ahead of ours, from what it says of its clock in each heartbeat and of the round trip of the
 * one before. What took the shortest time tells most: a sample is right to within half of its round trip.
 */
import { limits } from './limits.ts';

export interface Offset {
  /** Ahead of ours; negative where it is behind. */
  readonly offsetMs: number;
  /** The offset is known to within half of this. */
  readonly roundTripMs: number;
}

export class ClockOffset {
  readonly #samples: Offset[] = [];
  /** Without what the last heartbeat took on its way: only the next one tells that. */
  #lastMs: number | undefined;

  /** The best of the last few; undefined while there is none. */
  get now(): Offset | undefined {
    return this.#samples.reduce<Offset | undefined>(
      (best, sample) => (best === undefined || sample.roundTripMs <= best.roundTripMs ? sample : best),
      undefined,
    );
  }

  /**
   * @param wallMs the peer's clock as it sent this; 0 where it does not tell
   * @param roundTripMs of the heartbeat before; 0 where it is not known
   * @param hereMs our clock as this came
   */
  heard(wallMs: number, roundTripMs: number, hereMs: number): void {
    if (this.#lastMs !== undefined && roundTripMs > 0) {
      this.#samples.push({ offsetMs: this.#lastMs + roundTripMs / 2, roundTripMs });
      if (this.#samples.length > limits.clockSamplesMax) this.#samples.shift();
    }
    this.#lastMs = wallMs > 0 ? wallMs - hereMs : undefined;
  }
}
