/**
 * Tasks that do nothing: what is left is what Regatta itself costs.
 *
 * In: `count` tasks. Out of a task: its index. Combined: how many came back, and the sum of their indices, which is
 * count (count - 1) / 2 when none was lost or doubled.
 */
import { defineWorkload } from '../define.ts';

export const noop = defineWorkload({
  name: 'noop',
  kind: 'cpu',
  summary: 'Tasks that do nothing, to measure the cost of dispatch; each gives its index',
  parameters: {
    count: { default: 1000, description: 'how many tasks', unit: 'tasks', min: 1, max: 10_000_000, integer: true },
  },
  tasks: ({ count }) => count,
  run: (_params, { task }) => task,
  combine(results) {
    let count = 0;
    let sum = 0;
    for (const { value } of results) {
      count++;
      sum += value;
    }
    return { count, sum };
  },
});
