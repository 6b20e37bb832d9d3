/**
 * Tasks that only wait: latency and nothing else, to see what a model makes of time in which no core is needed.
 *
 * In: `count` tasks. Each waits as long as (seed, task) draw from the distribution: `fixed` is `ms` for all, `uniform`
 * is from 0 to twice that, `exp` has it as its mean. Out of a task: what it was to wait, in ms, not what it took, which
 * differs from run to run. Combined: how many tasks there were, and what they waited altogether, in ms: one after
 * another they would take as long.
 */
import { setTimeout } from 'node:timers/promises';
import { mixSeed, RegattaError, Rng } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';
import { drawMs, type Latency } from '../latency.ts';

const distributions: Readonly<Record<string, (ms: number) => Latency>> = {
  fixed: (ms) => ({ kind: 'fixed', ms }),
  uniform: (ms) => ({ kind: 'uniform', fromMs: 0, toMs: 2 * ms }),
  exp: (ms) => ({ kind: 'exp', meanMs: ms }),
};
const choices = Object.keys(distributions).join(', ');

export const ioWait = defineWorkload({
  name: 'io-wait',
  kind: 'io',
  summary: 'Tasks that only wait, each as long as a seeded distribution says; each gives what it waited',
  parameters: {
    count: { default: 200, description: 'how many tasks', unit: 'tasks', min: 1, max: 10_000_000, integer: true },
    ms: { default: 50, description: 'waiting in each task, on average', unit: 'ms', min: 0, max: 600_000 },
    distribution: { default: 'fixed', description: `how the waits are spread: ${choices}` },
    seed: { default: 1, description: 'gives other waits', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks({ count, distribution }) {
    if (!Object.hasOwn(distributions, distribution)) {
      const given = JSON.stringify(distribution);
      throw new RegattaError('BAD_PARAMETER', `io-wait: distribution is ${given}; give one of: ${choices}`);
    }
    return count;
  },
  run({ ms, distribution, seed }, { task, signal }) {
    const waitMs = drawMs(distributions[distribution]!(ms), new Rng(mixSeed(seed, task)));
    return setTimeout(waitMs, waitMs, { signal });
  },
  combine(results) {
    let tasks = 0;
    let waitedMs = 0;
    for (const { value } of results) {
      tasks++;
      waitedMs += value;
    }
    return { tasks, waitedMs };
  },
});
