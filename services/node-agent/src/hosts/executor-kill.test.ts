import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { unpack } from '@regatta/workloads';
import { Executor } from './executor.ts';
import type { Loss, Outcome } from './work.ts';

const FOREVER_MS = 60_000;
const hostLimits = { tasksMax: 1_000_000, memoryBytesMax: 2 ** 30 };
let executor: Executor;
let outcomes: Outcome[];

/** Opens a run with one lane. `cpuMs` blocks its host, `ioMs` does not. */
function open(runId: string, inputs: { cpuMs?: number; ioMs?: number }, taskTimeoutMs = 0): void {
  const params = { count: 100, cpuMs: 0, ioMs: 0, bytes: 0, failureRate: 0, seed: 1, ...inputs };
  const shape = { processes: 1, threads: 1, concurrency: 1 };
  executor.open({ runId, workload: 'synthetic', params, shape, taskTimeoutMs, pulled: false });
}
const assign = (attemptId: number, runId: string, from: number, to: number): void =>
  executor.assign({ attemptId, runId, from, to, attempt: 1, alone: false, inputs: new Uint8Array(0) });

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const giveUpAt = performance.now() + 8_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
  }
}

const ends = (): Outcome[] => outcomes.filter(({ end }) => end.kind !== 'open');
const kinds = (): string[] => ends().map(({ attemptId, end }) => `${attemptId} ${end.kind}`);
const ended = (count: number) => until(() => ends().length >= count, `${count} attempts ended`);
const killOnceBegun = () =>
  until(() => outcomes.length > 0 && process.kill(outcomes[0]!.timing.host, 'SIGKILL'), 'something was done');
const children = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function lossOf(attemptId: number): Loss {
  const end = ends().find((outcome) => outcome.attemptId === attemptId)?.end;
  return end?.kind === 'lost' ? end.loss : assert.fail(`attempt ${attemptId} was not lost`);
}

beforeEach(async () => {
  outcomes = [];
  const report = (outcome: Outcome): void => void outcomes.push(outcome);
  executor = new Executor({
    cores: 1,
    prestart: 1,
    hostLimits,
    report,
    reportLate: () => {},
    takeAgentStall: () => 0,
    throttledMs: () => 0,
  });
  await executor.pool.workloads();
});

afterEach(async () => {
  executor.shutDown();
  await until(() => children().length === 0, 'no host process is left');
});

describe('when a host is killed from outside in mid-chunk', () => {
  it('answers each assignment once: what was at work is lost, what waited goes on elsewhere', async () => {
    open('a', { ioMs: 30 });
    assign(1, 'a', 0, 20);
    for (const id of [2, 3]) assign(id, 'a', 18 + id, 19 + id);
    await killOnceBegun();
    await ended(3);
    await sleep(100);
    assert.deepEqual(kinds(), ['1 lost', '2 completed', '3 completed']);
    assert.deepEqual([lossOf(1).code, lossOf(1).signal], ['HOST_DIED', 'SIGKILL']);
  });

  it('keeps what had been reported, and reports nothing twice', async () => {
    open('a', { ioMs: 30 });
    assign(1, 'a', 0, 20);
    await killOnceBegun();
    await ended(1);
    const done = outcomes.flatMap(({ from, results }) => unpack(results).map((_, i) => from + i));
    assert.ok(done.length > 0 && done.length < 20);
    assert.deepEqual(done, [...done.keys()]);
  });
});

describe('when an attempt is cancelled', () => {
  for (const [what, inputs] of Object.entries({ computes: { cpuMs: FOREVER_MS }, waits: { ioMs: FOREVER_MS } })) {
    it(`stops it within a second while its task ${what}, and gives its lane to the next`, async () => {
      for (const [i, runId] of ['a', 'b'].entries()) {
        open(runId, i === 0 ? inputs : {});
        assign(i + 1, runId, 0, 1);
      }
      await sleep(100);
      const before = performance.now();
      executor.cancel(1);
      await ended(1);
      assert.ok(performance.now() - before < 1_000);
      await ended(2);
      assert.deepEqual(kinds(), ['1 stopped', '2 completed']);
    });
  }

  it('stops one that waits for a lane at once', () => {
    open('a', { ioMs: FOREVER_MS });
    for (const id of [1, 2]) assign(id, 'a', id, id + 1);
    executor.cancel(2);
    assert.deepEqual(kinds(), ['2 stopped']);
  });
});

describe('when a task that computes is past its time', () => {
  it('kills its host and names the task', async () => {
    open('a', { cpuMs: FOREVER_MS }, 100);
    assign(1, 'a', 4, 6);
    await ended(1);
    assert.deepEqual([lossOf(1).code, lossOf(1).culprit], ['TASK_TIMED_OUT', 4]);
  });
});

describe('when reset', () => {
  it('kills hosts that are at work and answers nothing', async () => {
    open('a', { cpuMs: FOREVER_MS });
    for (const id of [1, 2]) assign(id, 'a', id, id + 1);
    const busy = children();
    executor.reset();
    await until(() => !children().some((pid) => busy.includes(pid)), 'the busy host is gone');
    assert.deepEqual(outcomes, []);
  });
});
