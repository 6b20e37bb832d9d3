import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineWorkload } from '@regatta/workloads';
import { workThrough } from './lane.ts';
import type { HostNews } from './messages.ts';
import { Thread } from './thread.ts';

const odd: readonly (readonly [string, () => unknown])[] = [
  ['an object with no prototype', () => Object.create(null)],
  ['an Error whose stack is a number', () => Object.assign(new Error('odd'), { stack: 7 })],
  [
    'an Error whose message cannot be read',
    () =>
      Object.defineProperty(new Error(), 'message', {
        get: () => {
          throw 1;
        },
      }),
  ],
  ['a symbol', () => Symbol('odd')],
  ['undefined', () => undefined],
];

describe('a task that throws', () => {
  for (const [what, make] of odd) {
    it(`${what} fails alone, with a text for a message`, async () => {
      const workload = defineWorkload({
        name: 'odd',
        kind: 'cpu',
        summary: 'throws in its second task',
        parameters: {},
        tasks: () => 3,
        run(_params, { task }) {
          if (task === 1) throw make();
          return task;
        },
        combine: () => null,
      });
      const news: HostNews[] = [];
      const run = { runId: 'r', workload: 'odd', params: {}, concurrency: 1, taskTimeoutMs: 0 };
      const chunk = { attemptId: 1, runId: 'r', from: 0, to: 3, attempt: 1, inputs: new Uint8Array(0) };
      const outlet = {
        emit: (one: HostNews) => void news.push(one),
        emitLate: () => {},
        abandoned: () => {},
        flushed: () => undefined,
      };
      const cancelled = new AbortController().signal;
      await workThrough({ workload, run, chunk, receivedAt: 0, shared: undefined, cancelled, outlet }, new Thread());
      assert.deepEqual(
        news.map(({ end }) => end.kind),
        ['completed'],
      );
      assert.deepEqual(
        news[0]!.failures.map(({ task, message, stack }) => [task, typeof message, typeof stack]),
        [[1, 'string', 'string']],
      );
    });
  }
});
