import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExecutorBench, until } from './testing/executor-bench.ts';

const TASKS = 200;
const bench = new ExecutorBench({ cores: 2 });
afterEach(() => bench.executor.hold(false, 'test'));

/** Results of 1 MiB each, one after another, as fast as they can be made. */
const large = { count: TASKS, cpuMs: 0, ioMs: 0, bytes: 2 ** 20, failureRate: 0, seed: 1 };
const reported = (attemptId: number): number =>
  Math.max(0, ...bench.outcomes.filter((one) => one.attemptId === attemptId).map(({ to }) => to));

/** Waits until the attempt has told nothing new for a while. @returns what it has told by then */
async function settled(attemptId: number): Promise<number> {
  let before = -1;
  for (let now = reported(attemptId); now !== before; now = reported(attemptId)) {
    before = now;
    await sleep(250);
  }
  return before;
}

for (const [model, threads, concurrency] of [
  ['one thread', 1, 1],
  ['several lanes in one thread', 1, 4],
  ['a pool of threads', 2, 1],
] as const) {
  describe(`while those who take results are behind, with ${model}`, () => {
    const runId = `${threads}x${concurrency}`;
    const first = threads * 100 + concurrency * 10;
    const shape = { processes: 1, threads, concurrency };

    it('begins no more tasks, and goes on where it was when they have caught up', async () => {
      bench.open(runId, 'synthetic', large, { shape, taskTimeoutMs: 60_000 });
      bench.assign(runId, first, 0, TASKS);
      await until(() => reported(first) > 0, 'it has begun');
      bench.executor.hold(true, 'test');
      const done = await settled(first);
      assert.ok(done < TASKS, 'all was done: nothing was held');
      bench.executor.hold(false, 'test');
      await bench.ended(first);
      const spans = bench.outcomes.filter((one) => one.attemptId === first && one.to > one.from);
      assert.equal(spans.at(-1)!.to, TASKS);
      assert.ok(spans.every(({ from }, i) => from === (spans[i - 1]?.to ?? 0)));
    });

    it('stops what it is told to stop, and kills no host for it', async () => {
      bench.executor.hold(true, 'test');
      bench.assign(runId, first + 1, 0, TASKS);
      await settled(first + 1);
      bench.executor.cancel(first + 1);
      await bench.ended(first + 1);
      assert.equal(bench.ends.at(-1)!.end.kind, 'stopped');
      bench.executor.hold(false, 'test');
      bench.assign(runId, first + 2, 0, 1);
      await bench.ended(first + 2);
      assert.equal(bench.hostOf(first + 2), bench.hostOf(first));
    });
  });
}

describe('a task with a time limit', () => {
  it('is not taken to hang for having been held', async () => {
    bench.open('timed', 'synthetic', large, { taskTimeoutMs: 100 });
    bench.executor.hold(true, 'test');
    bench.assign('timed', 1, 0, 1);
    await sleep(1_000);
    bench.executor.hold(false, 'test');
    await bench.ended(1);
    assert.deepEqual(
      bench.outcomes.flatMap(({ attemptId, failures }) => (attemptId === 1 ? failures : [])),
      [],
    );
    assert.equal(bench.ends.at(-1)!.end.kind, 'completed');
  });
});

describe('a host that starts meanwhile', () => {
  it('is held, too', async () => {
    bench.executor.hold(true, 'test');
    bench.open('wide', 'synthetic', large, { shape: { processes: 1, threads: 3, concurrency: 1 } });
    bench.assign('wide', 2, 0, TASKS);
    await sleep(1_000);
    // Each thread hears it when it can hear at all: it may have begun a task by then, or a few on a loaded machine.
    const begun = await settled(2);
    assert.ok(begun <= TASKS / 20, `${begun} tasks`);
    bench.executor.hold(false, 'test');
    await bench.ended(2);
  });
});

describe('at the end', () => {
  it('leaves no process behind', () => bench.shutDown());
});
