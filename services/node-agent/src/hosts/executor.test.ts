import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Executor } from './executor.ts';
import type { Outcome, RunOrder } from './work.ts';

type Ended = Outcome & { readonly at: number };
const wide = (processes: number) => ({ processes, threads: 1, concurrency: 1 });

const hostLimits = { tasksMax: 1_000_000, memoryBytesMax: 2 ** 30 };
let executor: Executor;
let ends: Ended[];

/** Opens a run of `synthetic`: `cpuMs` blocks its host, `ioMs` does not. */
function open(runId: string, inputs: { cpuMs?: number; ioMs?: number }, processes = 1, taskTimeoutMs = 0): void {
  const params = { count: 100, cpuMs: 0, ioMs: 0, bytes: 0, failureRate: 0, seed: 1, ...inputs };
  const order: RunOrder = {
    runId,
    workload: 'synthetic',
    params,
    shape: wide(processes),
    taskTimeoutMs,
    pulled: false,
  };
  executor.open(order);
}

/** One task in each attempt. */
const assign = (runId: string, ...attempts: number[]): void => {
  for (const id of attempts)
    executor.assign({
      attemptId: id,
      runId,
      from: id,
      to: id + 1,
      attempt: 1,
      alone: false,
      inputs: new Uint8Array(0),
    });
};

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const giveUpAt = performance.now() + 8_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
  }
}
const ended = (count: number): Promise<void> => until(() => ends.length >= count, `${count} attempts ended`);
const kinds = (): string[] => ends.map(({ attemptId, end }) => `${attemptId} ${end.kind}`).sort();
const children = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** How many attempts were at work at once, from when each ended and how long its lane had it. */
function mostAtOnce(): number {
  const slackMs = 10;
  const spans = ends.map(({ at, timing }) => ({ from: at - timing.laneMs + slackMs, to: at - slackMs }));
  return Math.max(...spans.map(({ from }) => spans.filter((span) => span.from <= from && from < span.to).length));
}

beforeEach(async () => {
  ends = [];
  const report = (outcome: Outcome): void => {
    if (outcome.end.kind !== 'open') ends.push({ ...outcome, at: performance.now() });
  };
  executor = new Executor({
    cores: 2,
    prestart: 2,
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

describe('while hosts live', () => {
  it('answers each assignment with one end', async () => {
    open('a', { ioMs: 1 });
    assign('a', 1, 2, 3, 4, 5, 2);
    await ended(5);
    await sleep(50);
    assert.deepEqual(kinds(), ['1 completed', '2 completed', '3 completed', '4 completed', '5 completed']);
  });

  it('stops assignments of a run that is not open', () => {
    assign('unknown', 1);
    assert.deepEqual(kinds(), ['1 stopped']);
  });

  it('has no more chunks of a run at work than its lanes', async () => {
    open('a', { ioMs: 60 });
    assign('a', 1, 2, 3, 4);
    await ended(4);
    assert.equal(mostAtOnce(), 1);
  });

  it('has no more chunks of several runs at work than cores', async () => {
    for (const runId of ['a', 'b']) open(runId, { ioMs: 80 }, 2);
    assign('a', 1, 2, 3);
    assign('b', 4, 5, 6);
    await ended(6);
    assert.equal(mostAtOnce(), 2);
  });

  it('gives a run alone all that it asked for', async () => {
    open('a', { ioMs: 1_000 }, 3);
    assign('a', 1, 2, 3);
    await ended(3);
    assert.equal(mostAtOnce(), 3);
  });
});
