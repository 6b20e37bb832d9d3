/**
 * The buckets of a histogram of durations: where a duration belongs is found without a search, so that each of millions
 * of tasks a second can be counted.
 *
 * - B1: each bound is at least twice the one before. So between two powers of two there is one bound at most, and the
 *   number of leading zeros leaves two buckets to choose from.
 */
import { assert } from '@regatta/kernel';

/** Of the integers that clz32 takes. */
const BITS = 32;
const MICROSECONDS_MAX = 2 ** BITS - 1;

export class Scale {
  /** Upper bounds in µs, ascending; the bucket above the last one has none. */
  readonly boundsUs: readonly number[];
  /** The same, with the end of the last bucket. */
  readonly #upTo: Float64Array;
  /** By the number of bits of a duration in whole µs: the first bucket that it may belong to. */
  readonly #first: Uint8Array;

  constructor(boundsUs: readonly number[]) {
    // B1.
    for (const [i, bound] of boundsUs.entries())
      assert(bound > 0 && bound >= 2 * (boundsUs[i - 1] ?? 0), `bound ${bound} is too close to the one before`);
    assert(boundsUs.at(-1)! <= MICROSECONDS_MAX, 'the last bound has more bits than are looked at');
    this.boundsUs = boundsUs;
    this.#upTo = Float64Array.of(...boundsUs, Number.POSITIVE_INFINITY);
    this.#first = Uint8Array.from({ length: BITS + 1 }, (_, bits) =>
      bits === 0 ? 0 : this.#upTo.findIndex((bound) => bound >= 2 ** (bits - 1)),
    );
  }

  get buckets(): number {
    return this.#upTo.length;
  }

  /** The bucket of a duration. @param us not negative */
  bucketOf(us: number): number {
    const whole = Math.min(us, MICROSECONDS_MAX);
    const first = this.#first[BITS - Math.clz32(whole)]!;
    return us > this.#upTo[first]! ? first + 1 : first;
  }

  /** Adds each of these durations to its bucket's count. */
  countAll(us: Uint32Array, counts: Float64Array): void {
    const upTo = this.#upTo;
    const first = this.#first;
    const lowest = upTo[0]!;
    // Those that come by the million a second are in the first bucket. In memory each addition would wait for the last.
    let low = 0;
    // An index: an iterator would be most of the cost.
    for (let i = 0; i < us.length; i++) {
      const value = us[i]!;
      if (value <= lowest) {
        low++;
        continue;
      }
      const bucket = first[BITS - Math.clz32(value)]!;
      // Without a branch, which durations of all kinds would make the processor guess wrong.
      const counted = bucket + Number(value > upTo[bucket]!);
      counts[counted] = counts[counted]! + 1;
    }
    counts[0] = counts[0]! + low;
  }
}

const steps = (fromUs: number, decades: number): number[] =>
  Array.from({ length: decades }, (_, decade) => [1, 2.5, 5].map((step) => step * fromUs * 10 ** decade)).flat();

/** 10 µs to 100 s: of tasks, and of what surrounds them. */
export const taskScale = new Scale([...steps(10, 7), 100_000_000]);

/** 1 µs to 1 s: of what a process does by itself. */
export const innerScale = new Scale([...steps(1, 6), 1_000_000]);

/** 10 ms to 2,500 s: of what people wait for. */
export const runScale = new Scale([...steps(10_000, 5), 1_000_000_000, 2_500_000_000]);
