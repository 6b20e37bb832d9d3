import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { encodeValue, pack } from '@regatta/workloads';
import { HostProcess } from './testing/host-process.ts';

const FOREVER_MS = 600_000;
let host: HostProcess;

beforeEach(() => {
  host = new HostProcess(2, 1);
});
afterEach(() => host.end());

const faulty = (how: string, at: number, over = {}) => ({
  count: 100,
  how,
  at,
  every: 0,
  workMs: 0,
  bytes: 1,
  ...over,
});
const synthetic = (over = {}) => ({ count: 100, cpuMs: 0, ioMs: 0, bytes: 0, failureRate: 0, seed: 1, ...over });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('chunks in the threads of a pool', () => {
  it('are worked on in different threads, and their news is complete', async () => {
    host.open('a', 'synthetic', synthetic({ ioMs: 20 }));
    host.order(host.chunk(1, 'a', 0, 9), host.chunk(2, 'a', 10, 19));
    await host.ended(1, 2);
    assert.deepEqual([host.values(1), host.values(2)], [range(0, 9), range(10, 19)]);
    const threads = [1, 2].map((id) => [...new Set(host.of(id).map(({ thread }) => thread))]);
    assert.ok(threads.every(({ length }) => length === 1) && threads[0]![0] !== threads[1]![0], String(threads));
    assert.ok(!threads.flat().includes(0));
    for (const id of [1, 2]) {
      for (const [i, news] of host.of(id).entries()) {
        assert.equal(news.from, host.of(id)[i - 1]?.to ?? (id === 1 ? 0 : 10));
        assert.deepEqual([news.wallUs.length, news.cpuUs.length], Array(2).fill(news.to - news.from));
      }
    }
  });

  it('wait for a thread, and say how long', async () => {
    host.open('a', 'synthetic', synthetic({ ioMs: 60 }));
    host.order(...[1, 2, 3].map((id) => host.chunk(id, 'a', id, id + 1)));
    await host.ended(1, 2, 3);
    const waits = [1, 2, 3].map((id) => host.of(id)[0]!.waitMs).sort((a, b) => a - b);
    assert.ok(waits[2]! > 40, String(waits));
  });

  it('get the inputs of their tasks, and have large results, which are moved and not copied, each their own', async () => {
    const inputs = [Uint8Array.of(1, 2), ...range(0, 4).map((task) => new Uint8Array(200_000).fill(task))];
    host.open('a', 'echo', { count: 5, bytes: 1 });
    host.order(host.chunk(1, 'a', 0, 5, pack(inputs.map(encodeValue))));
    await host.ended(1);
    assert.deepEqual(host.values(1), inputs);
  });
});

describe('a thread that exits', () => {
  it('loses its chunk alone, after what it had told; its place is taken, and the others go on', async () => {
    host.open('a', 'faulty', faulty('exit', 3));
    host.open('b', 'synthetic', synthetic({ ioMs: 30 }));
    // With a time limit each task is told of before the next begins.
    host.open('c', 'faulty', faulty('exit', 3), { taskTimeoutMs: 60_000 });
    host.order(host.chunk(1, 'b', 0, 5), host.chunk(2, 'c', 0, 6));
    await host.ended(1, 2);
    assert.match(host.endOf(2), /^lost: .*(exit|terminat)/i);
    assert.deepEqual([host.values(2), host.of(2).at(-1)!.from], [[0, 1, 2], 3]);
    assert.deepEqual([host.endOf(1), host.values(1)], ['completed', range(0, 5)]);
    host.order(host.chunk(3, 'a', 4, 6), host.chunk(4, 'b', 5, 6));
    await host.ended(3, 4);
    assert.deepEqual([host.values(3), host.values(4)], [[4, 5], [5]]);
  });
});

describe('attempts that are cancelled', () => {
  for (const when of ['while the threads start', 'once they have started']) {
    it(`${when}, stop: one at its task, one that waits for a thread before its first; and the others go on`, async () => {
      if (when === 'once they have started') {
        host.open('before', 'noop', { count: 4 });
        host.order(host.chunk(101, 'before', 0, 1), host.chunk(102, 'before', 1, 2));
        await host.ended(101, 102);
      }
      host.open('a', 'synthetic', synthetic({ ioMs: FOREVER_MS }));
      host.open('b', 'synthetic', synthetic({ ioMs: 200 }));
      host.order(host.chunk(1, 'a', 0, 2), host.chunk(2, 'b', 0, 2), host.chunk(3, 'b', 2, 4));
      host.order(...[1, 3].map((attemptId) => ({ kind: 'cancel' as const, attemptId })));
      await host.ended(1, 2, 3);
      assert.deepEqual([1, 2, 3].map(host.endOf, host), ['stopped', 'completed', 'stopped']);
      assert.deepEqual([1, 2, 3].map(host.values, host), [[], [0, 1], []]);
    });
  }
});

describe('what a task leaves to fail in its thread', () => {
  it('takes its result back while that is still there', async () => {
    host.open('a', 'faulty', faulty('reject-soon', 1));
    host.order(host.chunk(1, 'a', 0, 3));
    await host.ended(1);
    assert.deepEqual([host.endOf(1), host.values(1)], ['completed', [0, 'none', 2]]);
    const message = 'faulty on purpose: task 1 left a promise that rejects';
    assert.deepEqual([host.failures(1), host.late], [[[1, 'TASK_FAILED_LATE', message]], []]);
  });

  it('is told apart where the result is gone, and the thread works on', async () => {
    for (const how of ['reject', 'late-throw']) host.open(how, 'faulty', faulty(how, 1));
    host.order(host.chunk(1, 'reject', 0, 3), host.chunk(2, 'late-throw', 0, 3));
    await host.until(() => host.late.length === 2, 'both failures were told');
    for (const id of [1, 2]) assert.deepEqual([host.endOf(id), host.values(id)], ['completed', [0, 1, 2]]);
    assert.deepEqual(host.late.map(({ runId, task }) => [runId, task]).sort(), [
      ['late-throw', 1],
      ['reject', 1],
    ]);
    for (const { message, stack } of host.late) {
      assert.match(message, /^faulty on purpose: .*task 1/);
      assert.match(stack, /faults\.ts/);
    }
    host.order(host.chunk(3, 'reject', 2, 5), host.chunk(4, 'reject', 5, 8));
    await host.ended(3, 4);
    assert.deepEqual([host.endOf(3), host.endOf(4)], ['completed', 'completed']);
  });
});
