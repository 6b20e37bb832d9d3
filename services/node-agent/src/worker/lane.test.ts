import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeValue, defineWorkload, type TaskContext, unpack } from '@regatta/workloads';
import { workThrough } from './lane.ts';
import type { HostNews } from './messages.ts';
import { Thread } from './thread.ts';

type Task = (context: TaskContext<unknown>) => unknown;
/** Works through tasks [0, to) and checks that the news covers what was done once, in order, with one end, last. */
async function work(task: Task, to: number) {
  const workload = defineWorkload<Record<never, never>, unknown, undefined, unknown>({
    name: 'sample',
    kind: 'cpu',
    summary: 'for tests',
    parameters: {},
    tasks: () => to,
    run: (_params, context) => task(context),
    combine: () => undefined,
  });
  const run = { runId: 'r', workload: 'sample', params: {}, concurrency: 1, taskTimeoutMs: 0 };
  const chunk = { attemptId: 7, runId: 'r', from: 0, to, attempt: 1, inputs: new Uint8Array(0) };
  const news: HostNews[] = [];
  const emit = (one: HostNews) => void news.push(one);
  const cancelled = new AbortController().signal;
  const receivedAt = performance.now();
  await workThrough(
    {
      workload,
      run,
      chunk,
      receivedAt,
      shared: undefined,
      cancelled,
      outlet: { emit, emitLate: () => {}, abandoned: () => {}, flushed: () => undefined },
    },
    new Thread(),
  );
  const entries = news.flatMap((one) => unpack(one.results));
  let reported = 0;
  for (const one of news) {
    assert.equal(one.from, reported);
    assert.equal(one.wallUs.length, one.to - one.from);
    reported = one.to;
  }
  assert.equal(entries.length, reported);
  assert.ok(news.slice(0, -1).every(({ end }) => end.kind === 'open'));
  return {
    news,
    end: news.at(-1)!.end.kind,
    values: entries.map((entry) => (entry.byteLength === 0 ? 'none' : decodeValue(entry))),
    failures: news.flatMap((one) => one.failures),
  };
}

/** Holds the thread. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('while all tasks succeed', () => {
  it('gives all results in the order of the tasks, then its end', async () => {
    const { values, end, failures } = await work(({ task }) => (task % 2 ? task : Promise.resolve(task)), 5);
    assert.deepEqual([values, end, failures], [[0, 1, 2, 3, 4], 'completed', []]);
  });

  it('does not wait between tasks that return no promise', async () => {
    const order: string[] = [];
    const task: Task = (context) => {
      order.push(`task ${context.task}`);
      queueMicrotask(() => order.push('microtask'));
    };
    await work(task, 3);
    assert.deepEqual(order.slice(0, 3), ['task 0', 'task 1', 'task 2']);
  });

  it('sends what it has before the next task once that comes to a mebibyte', async () => {
    const { news } = await work(() => new Uint8Array(600_000), 5);
    assert.deepEqual([news[0]!.to, news[1]!.to, news[2]!.to], [2, 4, 5]);
  });

  it('sends what it has when its last news is old', async () => {
    const { news } = await work(() => block(30), 4);
    assert.ok(news[0]!.to > 0 && news[0]!.to < 4);
  });

  it('gives the event loop turns in a long chunk', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await work(() => block(5), 12);
    clearInterval(timer);
    assert.ok(turns >= 2, `${turns} turns`);
  });
});

describe('where a task fails', () => {
  const failing: [string, Task, string, RegExp][] = [
    ['throws', () => assert.fail('boom'), 'TASK_THREW', /^boom$/],
    ['rejects', () => Promise.reject(new Error('bang')), 'TASK_THREW', /^bang$/],
    ['returns what cannot be cloned', () => () => 1, 'RESULT_NOT_CLONEABLE', /could not be cloned/],
    ['returns too much', () => new Uint8Array(32 * 1_048_576), 'RESULT_TOO_LARGE', /at most 33554432 can be sent/],
  ];
  for (const [what, task, code, message] of failing) {
    it(`that ${what} fails alone: ${code}`, async () => {
      const mixed: Task = (context) => (context.task === 1 ? task(context) : context.task);
      const { values, end, failures } = await work(mixed, 3);
      assert.deepEqual([values, end, failures.length], [[0, 'none', 2], 'completed', 1]);
      assert.deepEqual([failures[0]!.task, failures[0]!.code], [1, code]);
      assert.match(failures[0]!.message, message);
    });
  }

  it('tells where it was thrown', async () => {
    const { failures } = await work(() => Promise.reject(new Error('bang')), 1);
    assert.match(failures[0]!.stack, /lane\.test\.ts/);
  });
});
