import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeValue, defineWorkload, type TaskContext, unpack } from '@regatta/workloads';
import { workThrough } from './lane.ts';
import type { HostNews } from './messages.ts';
import { Thread } from './thread.ts';

type Task = (context: TaskContext<unknown>) => unknown;

/** Works through five tasks; failed ones show as 'none'. */
async function work(task: Task, taskTimeoutMs: number, cancelled = new AbortController().signal) {
  const workload = defineWorkload<Record<never, never>, unknown, undefined, unknown>({
    name: 'sample',
    kind: 'cpu',
    summary: 'for tests',
    parameters: {},
    tasks: () => 5,
    run: (_params, context) => task(context),
    combine: () => undefined,
  });
  const run = { runId: 'r', workload: 'sample', params: {}, concurrency: 1, taskTimeoutMs };
  const chunk = { attemptId: 7, runId: 'r', from: 0, to: 5, attempt: 1, inputs: new Uint8Array(0) };
  const news: HostNews[] = [];
  const emit = (one: HostNews) => void news.push(one);
  await workThrough(
    {
      workload,
      run,
      chunk,
      receivedAt: 0,
      shared: undefined,
      cancelled,
      outlet: { emit, emitLate: () => {}, abandoned: () => {}, flushed: () => undefined },
    },
    new Thread(),
  );
  const entries = news.flatMap((one) => unpack(one.results));
  const last = news.at(-1)!;
  assert.equal(last.to, entries.length);
  return {
    end: last.end.kind,
    values: entries.map((entry) => (entry.byteLength === 0 ? 'none' : decodeValue(entry))),
    failures: news.flatMap((one) => one.failures).map((failure) => [failure.task, failure.code]),
    times: news.flatMap((one) => [...one.wallUs]).length,
  };
}

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const never = (): Promise<never> => new Promise(() => {});

describe('where a task takes longer than it may', () => {
  const slow: [string, Task][] = [
    ['waits', never],
    ['computes', () => block(60)],
    ['computes before it waits', async () => block(60)],
  ];
  for (const [what, task] of slow) {
    it(`that ${what} fails alone, and its neighbours succeed`, async () => {
      const mixed: Task = (context) => (context.task === 2 ? task(context) : context.task);
      const { values, failures, end } = await work(mixed, 40);
      assert.deepEqual([values, end], [[0, 1, 'none', 3, 4], 'completed']);
      assert.deepEqual(failures, [[2, 'TASK_TIMED_OUT']]);
    });
  }

  it('tells it through its signal', async () => {
    let heard: unknown;
    await work(async ({ task, signal }) => {
      if (task > 0) return;
      signal.addEventListener('abort', () => {
        heard = signal.reason;
      });
      await never();
    }, 20);
    assert.match(String(heard), /took longer than 20 ms/);
  });

  it('shrugs off what it throws too late', async () => {
    const { failures } = await work(async ({ task }) => {
      if (task === 0) await sleep(60).then(() => assert.fail('late'));
    }, 40);
    await sleep(40);
    assert.deepEqual(failures, [[0, 'TASK_TIMED_OUT']]);
  });
});

describe('when cancelled', () => {
  it('before it begins runs no task', async () => {
    let ran = 0;
    const { values, end } = await work(() => ran++, 0, AbortSignal.abort());
    assert.deepEqual([values, end, ran], [[], 'stopped', 0]);
  });

  it('between tasks keeps what was done', async () => {
    const cancel = new AbortController();
    const task: Task = (context) => {
      if (context.task === 2) cancel.abort();
      return context.task;
    };
    const { values, end } = await work(task, 0, cancel.signal);
    assert.deepEqual([values, end], [[0, 1, 2], 'stopped']);
  });

  it('while a task waits keeps what was done before it, and calls the task neither failed nor done', async () => {
    const cancel = new AbortController();
    const task: Task = (context) => {
      if (context.task < 2) return context.task;
      setImmediate(() => cancel.abort());
      return never();
    };
    const { values, end, failures, times } = await work(task, 0, cancel.signal);
    assert.deepEqual([values, end, failures, times], [[0, 1], 'stopped', [], 2]);
  });

  it('keeps failures of tasks before', async () => {
    const cancel = new AbortController();
    const task: Task = (context) => {
      if (context.task === 0) throw new Error('boom');
      cancel.abort();
    };
    const { failures, end } = await work(task, 0, cancel.signal);
    assert.deepEqual([failures, end], [[[0, 'TASK_THREW']], 'stopped']);
  });
});
