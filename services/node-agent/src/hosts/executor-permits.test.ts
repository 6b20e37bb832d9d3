import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeValue, pack } from '@regatta/workloads';
import { startTarget, type Target } from '@regatta/workloads/target';
import type { Demand } from '../politeness/desk.ts';
import { ExecutorBench, until } from './testing/executor-bench.ts';

const bench = new ExecutorBench({ cores: 2 });
const { desk } = bench.executor;
const NAME = 'web-scraper';
const params = { urls: '', base: '', count: 1, method: 'GET', timeoutMs: 60_000, redirects: 0, maxBytes: 10_000 };
let target: Target;
let demands: Demand[];
let serial = 0;
let runs = 0;

before(async () => {
  target = await startTarget({ bodyBytes: 10 });
});
after(() => target.close());
beforeEach(() => {
  demands = [];
  desk.connected((demand) => void demands.push(demand));
});

/** Opens a polite run. */
function open(shape: object, taskTimeoutMs = 0): string {
  const runId = `run-${++runs}`;
  const widths = { processes: 1, threads: 1, concurrency: 1, ...shape };
  const all = { ...params, connections: 0 };
  bench.open(runId, NAME, all, { shape: widths, taskTimeoutMs, polite: true });
  return runId;
}

/** Pages that take so long; each attempt has one. */
function fetch(runId: string, waitMs: number, ...attempts: number[]): void {
  for (const attemptId of attempts) {
    const inputs = pack([encodeValue(`${target.url}/?n=${attemptId}&latency=fixed:${waitMs}`)]);
    bench.executor.assign({ attemptId, runId, from: 0, to: 1, attempt: 1, alone: false, inputs });
  }
}

function grant(runId: string, count: number): void {
  const order = { runId, target: new URL(target.url).host, grant: count, takeBack: 0, afterMs: 0, everyMs: 0 };
  desk.heard({ serial: ++serial, targets: [order] });
}

const said = (runId: string, name: 'waiting' | 'held'): number | undefined =>
  demands
    .flatMap(({ targets }) => targets)
    .filter((one) => one.runId === runId)
    .at(-1)?.[name];
const waitFor = (runId: string, name: 'waiting' | 'held', value: number): Promise<void> =>
  until(() => said(runId, name) === value, `${value} are ${name}`);

for (const [model, shape] of [
  ['several lanes in one thread', { concurrency: 3 }],
  ['a pool of threads', { threads: 3 }],
  ['several processes', { processes: 3 }],
] as const) {
  describe(`tasks that wait for a permit, with ${model}`, () => {
    it('are not taken to hang, and begin when there is one, each with its own', async () => {
      const runId = open(shape, 1_000);
      const attempts = [1, 2, 3].map((n) => runs * 10 + n);
      fetch(runId, 10, ...attempts);
      await waitFor(runId, 'waiting', 3);
      // Longer than the executor lets a silent host live.
      await sleep(1_500);
      assert.equal(bench.ends.filter((end) => end.runId === runId).length, 0);
      const { requests } = target.stats();
      grant(runId, 1);
      await bench.ended(...attempts);
      const ends = bench.ends.filter((end) => end.runId === runId);
      assert.deepEqual(
        ends.map(({ end, failures }) => [end.kind, failures]),
        Array(3).fill(['completed', []]),
      );
      assert.equal(target.stats().requests - requests, 3);
      assert.equal(target.stats().inFlightMax, 1);
      await waitFor(runId, 'held', 0);
    });

    it('stop when told to, and no host is killed for it', async () => {
      const runId = open(shape);
      const first = runs * 10;
      fetch(runId, 10, first);
      await waitFor(runId, 'waiting', 1);
      bench.executor.cancel(first);
      await bench.ended(first);
      fetch(runId, 10, first + 1);
      await waitFor(runId, 'waiting', 1);
      grant(runId, 1);
      await bench.ended(first + 1);
      assert.deepEqual(
        [first, first + 1].map((id) => bench.ends.find((end) => end.attemptId === id)!.end.kind),
        ['stopped', 'completed'],
      );
      await waitFor(runId, 'held', 0);
    });
  });
}

describe('permits in a host that is killed', () => {
  it('are given back, and nobody waits there any more', async () => {
    const runId = open({ concurrency: 3 });
    const [first, ...attempts] = [1, 2, 3, 4].map((n) => runs * 10 + n) as [number, ...number[]];
    fetch(runId, 1, first);
    await waitFor(runId, 'waiting', 1);
    grant(runId, 1);
    await bench.ended(first);
    await waitFor(runId, 'held', 0);
    fetch(runId, 60_000, ...attempts);
    await waitFor(runId, 'waiting', 3);
    const { inFlight } = target.stats();
    grant(runId, 2);
    await until(() => target.stats().inFlight === inFlight + 2, 'two talk to the target');
    process.kill(bench.hostOf(first), 'SIGKILL');
    await bench.ended(...attempts);
    await waitFor(runId, 'held', 0);
    assert.equal(said(runId, 'waiting'), 0);
  });
});

describe('a run that is closed while its tasks wait', () => {
  it('is let go of', async () => {
    const runId = open({ concurrency: 2 });
    const attempts = [1, 2].map((n) => runs * 10 + n);
    fetch(runId, 10, ...attempts);
    await waitFor(runId, 'waiting', 2);
    bench.executor.close(runId);
    await bench.ended(...attempts);
    await waitFor(runId, 'waiting', 0);
  });
});

describe('at the end', () => {
  it('leaves no process behind', () => bench.shutDown());
});
