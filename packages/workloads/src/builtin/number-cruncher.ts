/**
 * Large sums, one a task: pure computation, even costs, next to nothing to send.
 *
 * In: `count` tasks; task x adds up i² for every i < n + x. Out of a task: that sum, an exact bigint. Combined: the
 * total, and the single sums where they are few, as decimal strings because JSON has no bigint.
 *
 * Source, to check it by: the square pyramidal numbers, 0² + 1² + ... + (n-1)² = (n-1) n (2n-1) / 6.
 */
import { defineWorkload } from '../define.ts';

const CARRY = 2 ** 53;
const SUMS_SHOWN_MAX = 100;

export const numberCruncher = defineWorkload({
  name: 'number-cruncher',
  kind: 'cpu',
  summary: 'Sums i² for i < n + x in task x, by a loop; gives the exact sums and their total',
  parameters: {
    count: { default: 20, description: 'how many sums', unit: 'tasks', min: 1, max: 900_000, integer: true },
    // n + count stays below 94,906,267, so that no square passes 2^53
    n: {
      default: 5_000_000,
      description: 'terms of the first sum',
      unit: 'terms',
      min: 0,
      max: 94_000_000,
      integer: true,
    },
  },
  tasks: ({ count }) => count,
  run: ({ n }, { task }) => sumOfSquares(n + task),
  combine(results, { count }) {
    const sums: string[] = [];
    let total = 0n;
    for (const { value } of results) {
      total += value;
      if (count <= SUMS_SHOWN_MAX) sums.push(value.toString());
    }
    return count <= SUMS_SHOWN_MAX ? { total: total.toString(), sums } : { total: total.toString() };
  },
});

/**
 * The sum of i² for i < terms, exactly.
 * A double is exact up to 2^53, and this sum soon passes that; a bigint in the loop would be 35 times slower. So `low`
 * counts up from -2^53, and each time it reaches zero, one 2^53 is carried: neither it nor a square ever rounds.
 */
function sumOfSquares(terms: number): bigint {
  let low = -CARRY;
  let carries = 1;
  for (let i = 0; i < terms; i++) {
    low += i * i;
    if (low >= 0) {
      low -= CARRY;
      carries++;
    }
  }
  return BigInt(carries) * BigInt(CARRY) + BigInt(low);
}
