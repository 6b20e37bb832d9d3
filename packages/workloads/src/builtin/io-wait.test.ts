import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { ioWait } from './io-wait.ts';

type Params = Parameters<typeof ioWait.run>[0];
const paramsOf = (given: Partial<Params>): Params => resolveParameters(ioWait, given) as Params;
const contextOf = (task: number, signal = new AbortController().signal) => ({
  task,
  attempt: 1,
  signal,
  shared: undefined,
  input: undefined,
});

describe('a task of io-wait', () => {
  it('takes as long as it says, and burns nothing meanwhile', async () => {
    const [start, before] = [performance.now(), process.cpuUsage()];
    const { combined } = await runSerially(ioWait, { count: 3, ms: 80, distribution: 'exp' });
    const { user, system } = process.cpuUsage(before);
    // timers drop the fraction of a millisecond, and may fire one early
    assert.ok(performance.now() - start >= combined.waitedMs - 6);
    assert.ok((user + system) / 1000 < combined.waitedMs / 2);
  });

  it('waits beside others', async () => {
    const params = paramsOf({ ms: 300 });
    const start = performance.now();
    const waits = await Promise.all(Array.from({ length: 1000 }, (_, task) => ioWait.run(params, contextOf(task))));
    assert.equal(waits.length, 1000);
    assert.ok(performance.now() - start < 1000 * 300 * 0.1);
  });

  it('stops waiting when it is cancelled', async () => {
    const cancel = new AbortController();
    const running = ioWait.run(paramsOf({ ms: 600_000 }), contextOf(0, cancel.signal));
    cancel.abort();
    await assert.rejects(Promise.resolve(running), { name: 'AbortError' });
  });

  it('waits as its seed and its index say, and so does it the next time', async () => {
    const given = { count: 8, ms: 10, distribution: 'uniform' };
    const waits = async (seed: number): Promise<number[]> =>
      (await runSerially(ioWait, { ...given, seed })).results.map(({ value }) => value);
    const first = await waits(1);
    assert.deepEqual(await waits(1), first);
    assert.equal(new Set([...first, ...(await waits(2))]).size, 16);
    for (const ms of first) assert.ok(ms >= 0 && ms <= 20);
  });
});

describe('a run of io-wait', () => {
  it('sums up what was waited', async () => {
    const { combined } = await runSerially(ioWait, { count: 4, ms: 2 });
    assert.deepEqual(combined, { tasks: 4, waitedMs: 8 });
  });

  it('is refused with a distribution that there is none of', () => {
    assert.throws(() => ioWait.tasks(paramsOf({ distribution: 'toString' })), {
      code: 'BAD_PARAMETER',
      message: 'io-wait: distribution is "toString"; give one of: fixed, uniform, exp',
    });
  });
});
