/** Task indices from (inclusive) to (exclusive). */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export const lengthOf = (range: Range): number => range.to - range.from;

/**
 * A set of integers kept as disjoint, sorted, non-adjacent ranges.
 * Memory grows with the number of gaps, never with the number of integers: a run that is handed out in order
 * holds a handful of ranges, whatever its size.
 */
export class RangeSet {
  readonly #ranges: { from: number; to: number }[] = [];
  #size = 0;

  /** How many integers are in the set. */
  get size(): number {
    return this.#size;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Adds [from, to) and returns the parts of it that were not in the set before, in order. */
  add(from: number, to: number): Range[] {
    if (from >= to) return [];
    const first = this.#firstEndingAtOrAfter(from);
    const fresh: Range[] = [];
    let cursor = from;
    let end = first;
    for (; end < this.#ranges.length && this.#ranges[end]!.from <= to; end++) {
      const held = this.#ranges[end]!;
      if (cursor < held.from) fresh.push({ from: cursor, to: held.from });
      cursor = Math.max(cursor, held.to);
    }
    if (cursor < to) fresh.push({ from: cursor, to });
    const merged = {
      from: end > first ? Math.min(from, this.#ranges[first]!.from) : from,
      to: end > first ? Math.max(to, this.#ranges[end - 1]!.to) : to,
    };
    this.#ranges.splice(first, end - first, merged);
    for (const part of fresh) this.#size += lengthOf(part);
    return fresh;
  }

  has(value: number): boolean {
    const range = this.#ranges[this.#firstEndingAtOrAfter(value + 1)];
    return range !== undefined && range.from <= value;
  }

  /** The parts of [from, to) that are not in the set, in order. */
  missing(from: number, to: number): Range[] {
    const gaps: Range[] = [];
    let cursor = from;
    for (let i = this.#firstEndingAtOrAfter(from); i < this.#ranges.length && cursor < to; i++) {
      const held = this.#ranges[i]!;
      if (held.from >= to) break;
      if (cursor < held.from) gaps.push({ from: cursor, to: held.from });
      cursor = Math.max(cursor, held.to);
    }
    if (cursor < to) gaps.push({ from: cursor, to });
    return gaps;
  }

  #firstEndingAtOrAfter(value: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.to < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
