/**
 * Tasks made to measure: so much computing, so much waiting, so many bytes, so many failures. For trying out a
 * scheduler, or for standing in for work that is yet to be written.
 *
 * In: `count` tasks of `cpuMs` of computing, then `ioMs` of waiting. Out of a task: `bytes` bytes that repeat its
 * index as 32-bit words, or just its index where `bytes` is 0. An attempt fails with probability `failureRate`, drawn
 * from (seed, task, attempt): the same seed fails the same attempts, and a retry may pass. Combined: how many tasks
 * succeeded, and the bytes that they gave.
 *
 * Computing is a fixed amount of arithmetic, not a loop that watches a clock. Wall time passes while a task is kept
 * off its core; thread CPU time moves in scheduler ticks (4 ms on most Linux), and hides what real work feels, such
 * as a core shared by two hyperthreads. How much fills a millisecond is measured once in each host process.
 */
import { setTimeout } from 'node:timers/promises';
import { mixSeed, Rng } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';

export const synthetic = defineWorkload({
  name: 'synthetic',
  kind: 'cpu',
  summary: 'Tasks that compute, wait, return bytes and fail as much as they are told to',
  parameters: {
    count: { default: 100, description: 'how many tasks', unit: 'tasks', min: 1, max: 10_000_000, integer: true },
    cpuMs: { default: 5, description: 'computing in each task, on an idle core', unit: 'ms', min: 0, max: 600_000 },
    ioMs: { default: 0, description: 'waiting in each task', unit: 'ms', min: 0, max: 600_000 },
    bytes: { default: 0, description: 'size of a result', unit: 'bytes', min: 0, max: 2 ** 28, integer: true },
    failureRate: { default: 0, description: 'how likely an attempt is to fail', min: 0, max: 1 },
    seed: { default: 1, description: 'gives other failures', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks: ({ count }) => count,
  shared: ({ cpuMs }) => ({ roundsPerMs: cpuMs > 0 ? measureRoundsPerMs() : 0 }),
  async run({ cpuMs, ioMs, bytes, failureRate, seed }, { task, attempt, signal, shared }) {
    // whole rounds: a fraction makes V8 compile the measured loop anew
    for (let leftMs = cpuMs; leftMs > 0; leftMs--) compute(Math.round(shared.roundsPerMs * Math.min(leftMs, 1)));
    if (ioMs > 0) await setTimeout(ioMs, undefined, { signal });
    if (new Rng(mixSeed(seed, task, attempt)).unit() < failureRate) {
      throw new Error(`made to fail: task ${task}, attempt ${attempt}`);
    }
    return bytes === 0 ? task : new Uint8Array(new Uint32Array(Math.ceil(bytes / 4)).fill(task).buffer, 0, bytes);
  },
  combine(results) {
    let tasks = 0;
    let bytes = 0;
    for (const { value } of results) {
      tasks++;
      if (typeof value !== 'number') bytes += value.byteLength;
    }
    return { tasks, bytes };
  },
});

// Outlives each call, so that the compiler cannot drop the loop as one whose outcome nobody reads.
let state = 1;

/** Rounds of a linear congruential generator (Knuth's 1664525): each needs the last, so none can be skipped. */
function compute(rounds: number): void {
  let x = state;
  for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0;
  state = x;
}

/** The fastest of many short spells: one that was neither preempted nor run before the compiler was done. */
function measureRoundsPerMs(): number {
  const rounds = 50_000;
  let fastestMs = Number.POSITIVE_INFINITY;
  for (let spell = 0; spell < 50; spell++) {
    const start = performance.now();
    compute(rounds);
    fastestMs = Math.min(fastestMs, performance.now() - start);
  }
  return rounds / fastestMs;
}
