import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { TaskResult } from '../define.ts';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { sharedCounter } from './shared-counter.ts';

type Params = Parameters<typeof sharedCounter.run>[0];
type Memory = ReturnType<NonNullable<typeof sharedCounter.shared>>;
type Result = TaskResult<Exclude<ReturnType<typeof sharedCounter.run>, Promise<unknown>>>;

/** Two threads begin together, once both are there, and do every other task each. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { url, params, memory, first, arrived } = workerData;
  import(url).then(({ sharedCounter }) => {
    Atomics.add(arrived, 0, 1);
    while (Atomics.load(arrived, 0) < 2);
    const results = [];
    for (let task = first; task < params.count; task += 2) {
      results.push({ task, value: sharedCounter.run(params, { task, attempt: 1, shared: memory }) });
    }
    parentPort.postMessage(results);
  });
`;

async function inTwoThreads(given: Partial<Params>) {
  const params = resolveParameters(sharedCounter, given) as Params;
  const memory = sharedCounter.shared!(params);
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL('./shared-counter.ts', import.meta.url).href;
  const threads = [0, 1].map(
    (first) => new Worker(THREAD, { eval: true, workerData: { url, params, memory, first, arrived } }),
  );
  try {
    const posted: Result[][] = await Promise.all(threads.map(async (thread) => (await once(thread, 'message'))[0]));
    return sharedCounter.combine(posted.flat(), params);
  } finally {
    // One that failed leaves the other waiting for it.
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

describe('the additions of shared-counter', () => {
  it('are lost between threads that add in three steps', async () => {
    // Both threads must get a core at the same time for that; on a busy machine they may need another chance.
    for (let attempt = 0; attempt < 20; attempt++) {
      const { memories, expected, counted, lost } = await inTwoThreads({ count: 40, increments: 500_000 });
      assert.deepEqual([memories, expected, counted + lost], [1, 20_000_000, 20_000_000]);
      assert.ok(counted > 0 && lost >= 0, `counted ${counted}, lost ${lost}`);
      if (lost > 0) return;
    }
    assert.fail('two threads never came between each other');
  });

  it('are all there between threads that add in one step', async () => {
    const combined = await inTwoThreads({ count: 40, increments: 50_000, atomics: true });
    assert.deepEqual(combined, { memories: 1, expected: 2_000_000, counted: 2_000_000, lost: 0 });
  });

  it('are all there on a single thread', async () => {
    const { combined } = await runSerially(sharedCounter, { count: 10, increments: 1000 });
    assert.deepEqual(combined, { memories: 1, expected: 10_000, counted: 10_000, lost: 0 });
  });

  it('are all there in separate memories, which share nothing', () => {
    const params = { count: 9, increments: 1000, atomics: false };
    const memories: readonly Memory[] = [1, 2, 3].map(() => sharedCounter.shared!(params));
    const { signal } = new AbortController();
    const results = Array.from({ length: 9 }, (_, task) => {
      const context = { task, attempt: 1, signal, shared: memories[task % 3]!, input: undefined };
      return { task, value: sharedCounter.run(params, context) } as Result;
    });
    const combined = sharedCounter.combine(results.values(), params);
    assert.deepEqual(combined, { memories: 3, expected: 9000, counted: 9000, lost: 0 });
  });

  it('are expected of the tasks that succeeded alone', () => {
    const results = [2, 5].map((task) => ({ task, value: { memory: 'a', seen: 10 * task } }));
    const combined = sharedCounter.combine(results, { count: 8, increments: 30, atomics: false });
    assert.deepEqual(combined, { memories: 1, expected: 60, counted: 50, lost: 10 });
  });

  it('fit the counter at the most that a run may ask for, and once more', () => {
    const { count, increments } = sharedCounter.parameters;
    assert.ok(2 * count.max! * increments.max! < 2 ** 32);
  });
});

describe('the memory of shared-counter', () => {
  it('is shared, and has an identity of its own each time it is made', () => {
    const params = resolveParameters(sharedCounter, {}) as Params;
    const memories = Array.from({ length: 100 }, () => sharedCounter.shared!(params));
    for (const memory of memories) assert.ok(memory.buffer instanceof SharedArrayBuffer);
    assert.equal(new Set(memories.map(String)).size, 100);
  });
});
