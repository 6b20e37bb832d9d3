import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkload, encodeValue, pack, RetryLater, type Workload } from '@regatta/workloads';
import { workThrough } from './lane.ts';
import { limits } from './limits.ts';
import type { HostNews, PermitWord } from './messages.ts';
import { Permits } from './permits.ts';
import { Thread } from './thread.ts';

type Target = (params: object, input: unknown, task: number) => string | undefined;

interface Order {
  readonly target?: Target;
  readonly polite?: boolean;
  readonly taskTimeoutMs?: number;
  /** Called for each that asks; gives at once if it is left out. */
  readonly onAsk?: (give: () => void) => void;
  readonly cancelled?: AbortSignal;
  readonly inputs?: Uint8Array;
}

/** One lane works through three tasks. @returns what it said of permits and of its tasks, in order */
async function work(run: (task: number) => unknown, order: Order = {}) {
  const { target = () => 'a:1', polite = true, taskTimeoutMs = 0, onAsk = (give) => give() } = order;
  const { cancelled = new AbortController().signal, inputs = new Uint8Array(0) } = order;
  const said: string[] = [];
  const news: HostNews[] = [];
  const shape = { kind: 'io', summary: '', parameters: {}, tasks: () => 3, combine: () => undefined } as const;
  const workload = defineWorkload<Record<never, never>, unknown, undefined, undefined, unknown>({
    ...shape,
    name: 'sample',
    target,
    run: (_params, { task }) => {
      said.push(`task ${task}`);
      return run(task);
    },
  }) as Workload;
  const permits = new Permits((word: PermitWord) => {
    const what = word.kind === 'ask' ? word.target : word.retryAfterMs || '';
    said.push(`${word.kind} ${what}`.trim());
    if (word.kind === 'ask') onAsk(() => permits.given(word.attemptId));
  });
  const chunk = { attemptId: 7, runId: 'r', from: 0, to: 3, attempt: 1, inputs };
  const outlet = {
    emit: (one: HostNews) => void news.push(one),
    emitLate: () => {},
    abandoned: () => {},
    flushed: () => undefined,
  };
  const hostRun = { runId: 'r', workload: 'sample', params: {}, concurrency: 1, taskTimeoutMs, polite };
  const given = { workload, run: hostRun, chunk, receivedAt: 0, shared: undefined, cancelled, outlet, permits };
  await workThrough(given, new Thread());
  const failures = news.flatMap((one) => one.failures);
  return { said, news, end: news.at(-1)!.end.kind, failures, wallUs: news.flatMap((one) => [...one.wallUs]) };
}

describe('a task of a polite run', () => {
  for (const [what, task] of [
    ['returns', () => 1],
    ['waits', () => sleep(1)],
    ['throws', () => assert.fail('boom')],
    ['fails later', () => sleep(1).then(() => assert.fail('boom'))],
  ] as const) {
    it(`that ${what} begins with a permit and gives it back`, async () => {
      const { said, end } = await work(task);
      const each = (n: number): string[] => ['ask a:1', `task ${n}`, 'done'];
      assert.deepEqual([said, end], [[0, 1, 2].flatMap(each), 'completed']);
    });
  }

  it('that is out of time gives it back', async () => {
    const { said, failures } = await work((task) => (task === 1 ? new Promise(() => {}) : 1), { taskTimeoutMs: 30 });
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['TASK_TIMED_OUT'],
    );
    assert.equal(said.filter((word) => word === 'done').length, 3);
  });

  it('says for how long its target asked to be left alone', async () => {
    const { said } = await work((task) => {
      if (task === 1) throw new RetryLater('busy', 1500);
    });
    assert.deepEqual(
      said.filter((word) => word.startsWith('done')),
      ['done', 'done 1500', 'done'],
    );
  });

  it('needs none where it talks to nobody, and none where the run is not polite', async () => {
    const { said } = await work(() => 1, { target: (_params, _input, task) => (task === 1 ? 'b:2' : undefined) });
    assert.deepEqual(said, ['task 0', 'ask b:2', 'task 1', 'done', 'task 2']);
    assert.deepEqual((await work(() => 1, { polite: false })).said, ['task 0', 'task 1', 'task 2']);
  });

  it('is asked whom it talks to with its own input', async () => {
    const inputs = pack(['x', 'y', 'z'].map(encodeValue));
    const { said } = await work(() => 1, { target: (_params, input) => `${input}:1`, inputs });
    assert.deepEqual(
      said.filter((word) => word.startsWith('ask')),
      ['ask x:1', 'ask y:1', 'ask z:1'],
    );
  });

  it('fails, alone, where its workload fails to say whom it talks to', async () => {
    const target: Target = (_params, _input, task) => (task === 1 ? assert.fail('no URL') : 'a:1');
    const { said, failures, end } = await work(() => 1, { target });
    assert.deepEqual([said.filter((word) => word.startsWith('task')), end], [['task 0', 'task 2'], 'completed']);
    assert.deepEqual(
      failures.map(({ task, code, message }) => [task, code, message]),
      [[1, 'TASK_THREW', 'no URL']],
    );
  });
});

describe('to wait for a permit', () => {
  it('is no time of the task', async () => {
    const slow = (give: () => void): unknown => setTimeout(give, 60);
    const { wallUs, failures } = await work(() => 1, { onAsk: slow, taskTimeoutMs: 50 });
    assert.ok(Math.max(...wallUs) < 30_000, `${wallUs}`);
    assert.deepEqual(failures, []);
  });

  it('does not keep what is done from being told', async () => {
    let give = (): void => {};
    let asked = 0;
    const done = work(() => 1, {
      onAsk: (now) => {
        if (++asked < 3) return now();
        give = now;
        setTimeout(give, 3 * limits.newsMs);
      },
    });
    const { news } = await done;
    assert.deepEqual(
      news.map(({ from, to }) => [from, to]),
      [
        [0, 2],
        [2, 3],
      ],
    );
  });

  it('ends when the attempt is to stop: the task does not begin, and what was asked for is let go', async () => {
    const cancel = new AbortController();
    let asked = 0;
    const { said, end } = await work(() => 1, {
      cancelled: cancel.signal,
      onAsk: (give) => {
        if (++asked < 2) give();
        else setTimeout(() => cancel.abort(), 10);
      },
    });
    assert.deepEqual([said, end], [['ask a:1', 'task 0', 'done', 'ask a:1', 'done'], 'stopped']);
  });
});
