/** Numbers of benches, and how they are said. */

/** The value that a share of `q` of a non-empty list does not exceed: nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
}

/** To the four digits that a measurement is good for. */
export function digits(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(4)));
}

/** A ratio may be far from 1: then its first digits count, not its decimals. */
export const ratioText = (ratio: number): string => (ratio < 0.1 ? ratio.toPrecision(3) : ratio.toFixed(3));

export const MIB = 1_048_576;
