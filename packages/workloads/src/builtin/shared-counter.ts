/**
 * One counter that every task of a process adds to: the well-known warning about shared memory, in numbers. It breaks
 * W1 on purpose: what a task gives depends on where it ran and on what ran beside it.
 *
 * In: `count` tasks that each add 1 to the counter `increments` times: by a load, an addition and a store, or in one
 * step where `atomics` is true. Out of a task: whose memory that was, and the counter after the last addition.
 * Combined: how many memories there were, the additions expected of the tasks that succeeded, those that the counters
 * show, and the difference.
 *
 * What to see: threads without atomics overwrite each other's additions, and many are lost; with atomics none is, and
 * each takes longer. Processes lose none either way, for they share nothing: there are as many counters as memories.
 *
 * - A counter shows what the last task to finish in its memory saw. A late store of an old value may have set it back
 *   by then, so the largest value seen is taken, and `lost` is the least that can have been lost.
 * - An attempt whose result was thrown away has counted all the same: after retries, `lost` may come out below zero.
 */
import { randomBytes } from 'node:crypto';
import { defineWorkload } from '../define.ts';

// Cells of the shared memory. Its identity lies in it, for anything outside is copied into every thread.
const COUNTER = 0;
const IDENTITY = 1;
const CELLS = 3;

type Memory = Uint32Array<SharedArrayBuffer>;

export const sharedCounter = defineWorkload({
  name: 'shared-counter',
  kind: 'cpu',
  summary: 'Adds to one counter in memory that threads share; shows how many additions were lost without atomics',
  parameters: {
    // count x increments stays below 2^31: half of what the counter holds, the rest being for tasks that run again
    count: { default: 200, description: 'how many tasks', unit: 'tasks', min: 1, max: 2000, integer: true },
    increments: { default: 50_000, description: 'additions in each task', min: 0, max: 1_000_000, integer: true },
    atomics: { default: false, description: 'whether to add in one step that no thread can come between' },
  },
  tasks: ({ count }) => count,
  shared() {
    const memory: Memory = new Uint32Array(new SharedArrayBuffer(4 * CELLS));
    for (let cell = IDENTITY; cell < CELLS; cell++) memory[cell] = randomBytes(4).readUInt32LE();
    return memory;
  },
  run({ increments, atomics }, { shared: memory }) {
    if (atomics) addInOneStep(memory, increments);
    else addInThreeSteps(memory, increments);
    return { memory: identityOf(memory), seen: Atomics.load(memory, COUNTER) };
  },
  combine(results, { increments }) {
    const largestSeen = new Map<string, number>();
    let expected = 0;
    for (const { value } of results) {
      expected += increments;
      largestSeen.set(value.memory, Math.max(value.seen, largestSeen.get(value.memory) ?? 0));
    }
    let counted = 0;
    for (const seen of largestSeen.values()) counted += seen;
    return { memories: largestSeen.size, expected, counted, lost: expected - counted };
  },
});

/** A load, an addition, a store: what another thread stores in between is overwritten. */
function addInThreeSteps(memory: Memory, increments: number): void {
  for (let i = 0; i < increments; i++) memory[COUNTER]!++;
}

function addInOneStep(memory: Memory, increments: number): void {
  for (let i = 0; i < increments; i++) Atomics.add(memory, COUNTER, 1);
}

const identityOf = (memory: Memory): string =>
  Array.from(memory.subarray(IDENTITY), (cell) => cell.toString(16).padStart(8, '0')).join('');
