import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from './limits.ts';
import { type Task, type Told, work } from './testing/lane-work.ts';

const codes = ({ failures }: Told): [number, string][] => failures.map(({ task, code }) => [task, code]);

describe('what a task leaves to fail, while its result is still here', () => {
  /** Fails as soon as the task has given the thread back. */
  const soon =
    (...guilty: number[]): Task =>
    (context) => {
      if (guilty.includes(context.task)) process.nextTick(() => context.failedLate(new Error(`late ${context.task}`)));
      return context.task;
    };

  it('takes the result back, and no other', async () => {
    const told = await work(soon(1), { to: 4 });
    assert.deepEqual([told.values, told.late], [[0, 'none', 2, 3], []]);
    assert.deepEqual(codes(told), [[1, 'TASK_FAILED_LATE']]);
    assert.equal(told.failures[0]!.message, 'late 1');
    assert.match(told.failures[0]!.stack, /lane-failures\.test\.ts/);
  });

  it('is waited for after the last task, too', async () => {
    const told = await work(soon(2), { to: 3 });
    assert.deepEqual([told.values, told.late], [[0, 1, 'none'], []]);
  });

  it('is told among the other failures in the order of the tasks, and each once', async () => {
    const task: Task = (context) => {
      const { task } = context;
      if (task % 2 === 0)
        process.nextTick(() => {
          for (let i = 0; i < 2; i++) context.failedLate(new Error('late'));
        });
      if (task === 1) throw new Error('at once');
      if (task === 2) return { large: 'x'.repeat(1_000) };
      return task;
    };
    const told = await work(task, { to: 4 });
    assert.deepEqual(told.values, ['none', 'none', 'none', 3]);
    assert.deepEqual(codes(told), [
      [0, 'TASK_FAILED_LATE'],
      [1, 'TASK_THREW'],
      [2, 'TASK_FAILED_LATE'],
    ]);
    assert.deepEqual(told.late, []);
  });

  it('fails the task while it is still at work, and it alone', async () => {
    const task: Task = async (context) => {
      if (context.task === 1) process.nextTick(() => context.failedLate(new Error('meanwhile')));
      await sleep(5);
      return context.task;
    };
    const told = await work(task, { to: 3 });
    assert.deepEqual([told.values, codes(told), told.late], [[0, 'none', 2], [[1, 'TASK_FAILED_LATE']], []]);
  });

  it('changes nothing where the task had failed already', async () => {
    const told = await work(
      (context) => {
        process.nextTick(() => context.failedLate(new Error('late')));
        throw new Error('at once');
      },
      { to: 1 },
    );
    assert.deepEqual([codes(told), told.late], [[[0, 'TASK_THREW']], []]);
  });
});

describe('what a task leaves to fail, once its result is gone', () => {
  it('is told, and the result stands', async () => {
    let first: Parameters<Task>[0] | undefined;
    const task: Task = (context) => {
      first ??= context;
      // Each result is sent before the next task begins.
      if (context.task === 2) first.failedLate(new Error('late'));
      return new Uint8Array(limits.newsBytes);
    };
    const { news, late, failures } = await work(task, { to: 3 });
    assert.ok(news.length > 2);
    assert.deepEqual(
      late.map(({ runId, task, message }) => [runId, task, message]),
      [['r', 0, 'late']],
    );
    assert.deepEqual([failures, news.at(-1)!.to], [[], 3]);
  });

  it('is told after the end of the chunk, too', async () => {
    let context: Parameters<Task>[0] | undefined;
    const told = await work(
      (one) => {
        context = one;
      },
      { to: 1 },
    );
    context!.failedLate('a text');
    assert.deepEqual(told.late, [{ runId: 'r', task: 0, message: 'a text', stack: '' }]);
  });

  it('is cut to size like any other', async () => {
    let context: Parameters<Task>[0] | undefined;
    const told = await work(
      (one) => {
        context = one;
      },
      { to: 1 },
    );
    context!.failedLate(new Error('x'.repeat(100_000)));
    assert.equal(told.late[0]!.message.length, limits.messageCharactersMax);
    assert.ok(told.late[0]!.stack.length <= limits.stackCharactersMax);
  });
});

describe('failures that are large', () => {
  const throws =
    (message: string): Task =>
    () => {
      throw new Error(message);
    };

  it('have their messages and stacks cut, by characters and by lines', async () => {
    const [one] = (await work(throws('x'.repeat(1_000_000)), { to: 1 })).failures;
    assert.deepEqual(
      [one!.message.length, one!.stack.length],
      [limits.messageCharactersMax, limits.stackCharactersMax],
    );
    const [other] = (await work(throws('line\n'.repeat(1_000)), { to: 1 })).failures;
    assert.equal(other!.stack.split('\n').length, limits.stackLinesMax);
  });

  it('are sent before the next task once they come to a mebibyte', async () => {
    // News is sent after a while, too: here no time passes.
    mock.method(performance, 'now', () => 1_000);
    const { news, values } = await work(throws('x'.repeat(1_000_000)), { to: 300 });
    mock.restoreAll();
    const each = limits.messageCharactersMax + limits.stackCharactersMax;
    const most = Math.ceil(limits.newsBytes / each);
    assert.deepEqual([values.length, news.at(-1)!.to], [300, 300]);
    assert.deepEqual(
      news.slice(0, -1).map(({ failures }) => failures.length),
      Array(Math.floor(300 / most)).fill(most),
    );
  });
});
