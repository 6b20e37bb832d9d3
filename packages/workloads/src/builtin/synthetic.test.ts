import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { synthetic } from './synthetic.ts';

type Params = Parameters<typeof synthetic.run>[0];
const idle: Partial<Params> = { cpuMs: 0 };

/** The attempts, of tasks 0..count-1, that fail. */
async function failures(given: Partial<Params>, attempt: number): Promise<number[]> {
  const params = resolveParameters(synthetic, { ...idle, ...given }) as Params;
  const { signal } = new AbortController();
  const failed: number[] = [];
  for (let task = 0; task < params.count; task++) {
    const shared = { roundsPerMs: 0 };
    await Promise.resolve(synthetic.run(params, { task, attempt, signal, shared, input: undefined })).catch(() =>
      failed.push(task),
    );
  }
  return failed;
}

describe('a synthetic task', () => {
  it('burns the CPU time that it is told to', async () => {
    const before = process.cpuUsage();
    await runSerially(synthetic, { count: 10, cpuMs: 20 });
    const { user, system } = process.cpuUsage(before);
    // A wide lower bound only: how long the same arithmetic takes depends on what else the machine is doing.
    assert.ok((user + system) / 1000 > 0.5 * 200, `${(user + system) / 1000} ms for 200`);
  });

  it('waits as long as it is told to, without burning', async () => {
    const before = process.cpuUsage();
    const start = performance.now();
    await runSerially(synthetic, { ...idle, count: 2, ioMs: 100 });
    const { user, system } = process.cpuUsage(before);
    // timers may fire up to a millisecond early
    assert.ok(performance.now() - start >= 198);
    assert.ok((user + system) / 1000 < 100);
  });

  it('stops waiting when it is cancelled', async () => {
    const params = resolveParameters(synthetic, { ...idle, ioMs: 5_000 }) as Params;
    const cancel = new AbortController();
    const context = { task: 0, attempt: 1, signal: cancel.signal, shared: { roundsPerMs: 0 }, input: undefined };
    const running = synthetic.run(params, context);
    cancel.abort();
    await assert.rejects(Promise.resolve(running), { name: 'AbortError' });
  });

  it('gives its index where no bytes are asked for', async () => {
    const { results, combined } = await runSerially(synthetic, { ...idle, count: 3 });
    assert.deepEqual(
      results.map(({ value }) => value),
      [0, 1, 2],
    );
    assert.deepEqual(combined, { tasks: 3, bytes: 0 });
  });

  it('gives as many bytes as are asked for, and other ones for every task', async () => {
    const { results, combined } = await runSerially(synthetic, { ...idle, count: 1000, bytes: 7 });
    for (const { value } of results) assert.ok(value instanceof Uint8Array && value.byteLength === 7);
    assert.equal(new Set(results.map(({ value }) => String(value))).size, 1000);
    assert.deepEqual(combined, { tasks: 1000, bytes: 7000 });
  });
});

describe('a synthetic failure', () => {
  it('never happens at rate 0, and always at rate 1', async () => {
    assert.equal((await failures({ count: 50, failureRate: 0 }, 1)).length, 0);
    assert.equal((await failures({ count: 50, failureRate: 1 }, 1)).length, 50);
  });

  it('happens about as often as it is told to', async () => {
    const failed = await failures({ count: 2000, failureRate: 0.3 }, 1);
    assert.ok(Math.abs(failed.length - 600) < 80, `${failed.length} of 2000`);
  });

  it('hits the same attempts for the same seed, and others for another', async () => {
    const given = { count: 100, failureRate: 0.5, seed: 7 };
    assert.deepEqual(await failures(given, 1), await failures(given, 1));
    assert.notDeepEqual(await failures({ ...given, seed: 8 }, 1), await failures(given, 1));
  });

  it('may pass when it is tried again', async () => {
    const given = { count: 100, failureRate: 0.5 };
    const first = await failures(given, 1);
    const second = new Set(await failures(given, 2));
    const passed = first.filter((task) => !second.has(task));
    assert.ok(passed.length > 0 && passed.length < first.length);
  });

  it('says which task and attempt it was', async () => {
    await assert.rejects(runSerially(synthetic, { ...idle, failureRate: 1 }), /task 0, attempt 1/);
  });
});
