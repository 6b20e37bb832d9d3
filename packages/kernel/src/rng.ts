/**
 * Seeded random numbers: the same seed gives the same sequence on every machine and V8.
 * Source: splitmix32 (a 32-bit variant of Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
 * OOPSLA 2014).
 */
export class Rng {
  #state: number;

  /** @param seed any integer; only its low 32 bits count */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A uniform number in [0, 1), with 32 bits of it random. */
  unit(): number {
    return this.uint32() / 0x1_0000_0000;
  }
}

/** One seed out of several numbers, so that (run seed, task, attempt) each have a stream of their own. */
export function mixSeed(...parts: number[]): number {
  let seed = 0;
  for (const part of parts) seed = new Rng(seed ^ Math.imul(part | 0, 0x85ebca6b)).uint32();
  return seed | 0;
}
