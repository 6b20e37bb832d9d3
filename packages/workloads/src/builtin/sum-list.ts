/**
 * One large list, cut into pieces that are summed apart: the tasks are short, the data behind them is not.
 * Threads of one process share the list; every further process builds one of its own. So this workload shows what
 * processes cost in memory and in set-up time.
 *
 * In: `length` numbers in [0, 1), 8 bytes each, scattered from `seed` by Fibonacci hashing (Knuth, The Art of Computer
 * Programming, vol. 3, section 6.4), in `pieces` tasks. Out of a task: the sum of its piece. Combined: the sum of
 * those sums in task order; rounding may depend on `pieces`, never on how wide or where the work ran.
 */
import { defineWorkload } from '../define.ts';

export const sumList = defineWorkload({
  name: 'sum-list',
  kind: 'cpu',
  summary: 'Sums a large list in pieces; the list is built once in each host process and shared by its threads',
  parameters: {
    length: {
      default: 8_000_000,
      description: 'how many numbers the list has, at 8 bytes each',
      unit: 'numbers',
      min: 0,
      max: 100_000_000,
      integer: true,
    },
    pieces: { default: 64, description: 'pieces it is cut into', unit: 'tasks', min: 1, max: 1_000_000, integer: true },
    seed: { default: 1, description: 'gives other numbers', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks: ({ pieces }) => pieces,
  shared({ length, seed }) {
    const list = new Float64Array(new SharedArrayBuffer(8 * length));
    for (let i = 0; i < length; i++) list[i] = (Math.imul(i + seed, 0x9e3779b1) >>> 0) / 2 ** 32;
    return list;
  },
  run({ length, pieces }, { task, shared: list }) {
    const end = Math.floor((length * (task + 1)) / pieces);
    let sum = 0;
    for (let i = Math.floor((length * task) / pieces); i < end; i++) sum += list[i]!;
    return sum;
  },
  combine(results, { length }) {
    let sum = 0;
    for (const { value } of results) sum += value;
    return { length, sum };
  },
});
