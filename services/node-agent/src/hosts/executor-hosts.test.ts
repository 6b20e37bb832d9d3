import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it, mock } from 'node:test';
import { type HostLimits, limits } from '../limits.ts';
import { children, ExecutorBench, startHostsAs, until } from './testing/executor-bench.ts';

const FOREVER_MS = 600_000;
const MIB = 2 ** 20;
const { fork } = childProcess;
let bench: ExecutorBench;

async function begin(options: { cores?: number; hostLimits?: Partial<HostLimits> } = {}): Promise<void> {
  bench = new ExecutorBench(options);
  await bench.executor.pool.workloads();
}

afterEach(async () => {
  await bench.shutDown();
  mock.restoreAll();
  startHostsAs();
});

const noop = { count: 1_000 };
const waiting = (ioMs: number) => ({ count: 100, cpuMs: 0, ioMs, bytes: 0, failureRate: 0, seed: 1 });
/** The first task leaks; the others wait. */
const leaking = (bytes: number, workMs: number) => ({ count: 10, how: 'leak', at: 0, every: 0, workMs, bytes });

describe('a host that one run has left idle and another has taken', () => {
  it('is not gone back to: what kills it would be laid at the door of both', async () => {
    await begin({ cores: 2 });
    bench.open('a', 'noop', noop);
    bench.assign('a', 1);
    await bench.ended(1);
    bench.open('b', 'synthetic', waiting(300));
    bench.assign('b', 2);
    bench.assign('a', 3);
    await bench.ended(2, 3);
    assert.equal(bench.hostOf(2), bench.hostOf(1));
    assert.notEqual(bench.hostOf(3), bench.hostOf(2));
  });
});

describe('a suspect', () => {
  it('has a host to itself, however many there are, and shares it with nothing that comes later', async () => {
    await begin({ cores: 2 });
    const shape = { processes: 1, threads: 1, concurrency: 64 };
    // More runs than a node has hosts for: they share.
    for (let i = 0; i < 12; i++) {
      bench.open(`crowd ${i}`, 'synthetic', waiting(1_500), { shape });
      bench.assign(`crowd ${i}`, 100 + i, 0);
    }
    bench.open('a', 'synthetic', waiting(1_000), { shape });
    bench.assign('a', 1, 0, 1, true);
    bench.assign('crowd 0', 200, 1);
    await bench.ended(1, 200, ...Array.from({ length: 12 }, (_, i) => 100 + i));
    const others = bench.ends.filter(({ attemptId }) => attemptId !== 1).map(({ timing }) => timing.host);
    assert.ok(new Set(others).size < others.length, 'nobody had to share: it proves nothing');
    assert.ok(!others.includes(bench.hostOf(1)));
  });
});

describe('a host in which something goes on that was told to stop', () => {
  for (const [model, shape] of Object.entries({
    async: { processes: 1, threads: 1, concurrency: 4 },
    threads: { processes: 1, threads: 2, concurrency: 1 },
  })) {
    it(`is replaced once it has nothing else to do, under ${model}`, async () => {
      await begin();
      bench.open('a', 'faulty', { count: 10, how: 'wait', at: 0, every: 0, workMs: 0, bytes: 0 }, { shape });
      bench.assign('a', 1, 0);
      await until(() => bench.executor.hosts > 0 && children().length > 0, 'a host to begin');
      bench.assign('a', 2, 1);
      await bench.ended(2);
      bench.executor.cancel(1);
      await bench.ended(1);
      const host = bench.hostOf(1);
      assert.deepEqual(bench.kinds, ['1 stopped', '2 completed']);
      await until(() => !children().includes(host), 'the host is gone');
    });
  }
});

describe('a host that has done its part', () => {
  it('is replaced between chunks, and no more hosts stay than are kept ready', async () => {
    await begin({ hostLimits: { tasksMax: 5 } });
    bench.open('a', 'noop', noop);
    for (let id = 1; id <= 12; id++) {
      bench.assign('a', id);
      await bench.ended(id);
    }
    assert.deepEqual(
      bench.ends.map(({ attemptId, end }) => [attemptId, end.kind]),
      Array.from({ length: 12 }, (_, i) => [i + 1, 'completed']),
    );
    const hosts = [1, 6, 11].map(bench.hostOf);
    assert.equal(new Set(hosts).size, 3);
    for (const id of [2, 5]) assert.equal(bench.hostOf(id), hosts[0]);
    await until(() => children().length === 1, 'the worn hosts are gone');
    assert.equal(bench.executor.hosts, 1);
  });

  it('finishes what it has, and gets nothing more', async () => {
    await begin({ hostLimits: { tasksMax: 1 } });
    bench.open('a', 'synthetic', waiting(60), { shape: { processes: 1, threads: 1, concurrency: 2 } });
    bench.assign('a', 1);
    bench.assign('a', 2, 2, 7);
    bench.assign('a', 3);
    await bench.ended(1, 2, 3);
    assert.deepEqual(bench.kinds, ['1 completed', '2 completed', '3 completed']);
    assert.equal(bench.hostOf(1), bench.hostOf(2));
    assert.notEqual(bench.hostOf(3), bench.hostOf(2));
    await until(() => !children().includes(bench.hostOf(1)), 'the worn host is gone');
  });
});

describe('a host that has grown', () => {
  it('up to near its limit is replaced when it has nothing to do', async () => {
    await begin({ hostLimits: { memoryBytesMax: 400 * MIB } });
    bench.open('a', 'faulty', leaking(320 * MIB, 0));
    bench.assign('a', 1, 0, 1);
    await bench.ended(1);
    bench.assign('a', 2, 1, 2);
    await bench.ended(2);
    assert.deepEqual(bench.kinds, ['1 completed', '2 completed']);
    assert.notEqual(bench.hostOf(1), bench.hostOf(2));
    await until(() => !children().includes(bench.hostOf(1)), 'the host that has grown is gone');
  });

  it('beyond its limit is killed, whatever it is doing, and what it was doing is lost for that', async () => {
    await begin({ hostLimits: { memoryBytesMax: 200 * MIB } });
    bench.open('a', 'faulty', leaking(300 * MIB, FOREVER_MS));
    bench.assign('a', 1, 0, 3);
    await bench.ended(1);
    const { code, message, rssBytes, signal } = bench.lossOf(1);
    assert.deepEqual([code, signal], ['MEMORY_EXCEEDED', 'SIGKILL']);
    assert.match(message, /^its host process was killed for using \d+ MiB; the limit is --host-memory$/);
    assert.ok(rssBytes > 200 * MIB);
    bench.open('b', 'noop', noop);
    bench.assign('b', 2);
    await bench.ended(2);
    assert.deepEqual(bench.kinds, ['1 lost', '2 completed']);
  });
});

describe('work that is to be handed back', () => {
  it('and has not begun is let go of; what is at work goes on, and there is room for what comes later', async () => {
    await begin();
    bench.open('a', 'synthetic', waiting(100));
    for (const id of [1, 2, 3]) bench.assign('a', id);
    bench.executor.handBack(false);
    assert.deepEqual(bench.kinds, ['2 stopped', '3 stopped']);
    bench.assign('a', 4);
    await bench.ended(1, 4);
    assert.deepEqual(bench.kinds, ['1 completed', '2 stopped', '3 stopped', '4 completed']);
  });

  it('is let go of in all, what is at work, too', async () => {
    await begin();
    bench.open('a', 'synthetic', waiting(FOREVER_MS));
    for (const id of [1, 2]) bench.assign('a', id);
    bench.executor.handBack(true);
    await bench.ended(1, 2);
    assert.deepEqual(bench.kinds, ['1 stopped', '2 stopped']);
  });

  it('does not begin because something else was let go of', () => {
    bench = new ExecutorBench();
    // A heavy chunk waits for cores that light ones take; another light one may not overtake it.
    bench.open('light', 'synthetic', waiting(FOREVER_MS), { shape: { processes: 1, threads: 1, concurrency: 4 } });
    bench.open('heavy', 'noop', noop);
    bench.assign('light', 1);
    bench.assign('heavy', 2);
    bench.assign('light', 3);
    bench.executor.handBack(false);
    assert.deepEqual(bench.kinds, ['2 stopped', '3 stopped']);
    assert.ok(
      bench.ends.every(({ timing }) => timing.host === 0),
      'one had been given to a host',
    );
  });
});

describe('what a task leaves to fail', () => {
  it('is passed on', async () => {
    await begin();
    bench.open('a', 'faulty', { ...leaking(1, 0), how: 'late-throw' });
    bench.assign('a', 1, 0, 1);
    await until(() => bench.late.length > 0, 'it was told');
    assert.deepEqual(
      bench.late.map(({ runId, task }) => [runId, task]),
      [['a', 0]],
    );
  });
});

describe('a host that cannot be started', () => {
  it('leaves its chunks for others to try, and the agent lives to start the next', async () => {
    const noNode = (): void =>
      startHostsAs(((path: string, args: string[], options: object) =>
        fork(path, args, { ...options, execPath: '/nowhere/node', execArgv: [] })) as typeof fork);
    noNode();
    bench = new ExecutorBench();
    await assert.rejects(bench.executor.pool.workloads(), /a host process did not start: .*ENOENT/);
    bench.open('a', 'noop', noop);
    bench.assign('a', 1);
    await bench.ended(1);
    assert.deepEqual([bench.kinds, bench.unable], [['1 stopped'], []]);
    mock.restoreAll();
    startHostsAs();
    bench.assign('a', 2);
    await bench.ended(2);
    assert.deepEqual(bench.kinds, ['1 stopped', '2 completed']);
    // Only those in a row count.
    noNode();
    bench.open('wide', 'noop', noop, { shape: { processes: 1, threads: 2, concurrency: 1 } });
    for (let id = 3; id < limits.stillbornMax + 2; id++) {
      bench.assign('wide', id);
      await bench.ended(id);
    }
    assert.deepEqual(bench.unable, []);
  });

  it('several times in a row, is told of once, with what it said', async () => {
    startHostsAs(((_path: string, args: string[], options: object) =>
      fork('/nowhere/host-main.ts', args, options)) as typeof fork);
    bench = new ExecutorBench();
    await assert.rejects(bench.executor.pool.workloads(), /Cannot find module/);
    bench.open('a', 'noop', noop);
    // The prestarted one was the first.
    for (let id = 1; id < limits.stillbornMax; id++) {
      assert.deepEqual(bench.unable, []);
      bench.assign('a', id);
      await bench.ended(id);
    }
    bench.assign('a', limits.stillbornMax);
    await bench.ended(limits.stillbornMax);
    assert.equal(bench.unable.length, 1);
    assert.match(bench.unable[0]!, /Cannot find module/);
  });
});

describe('a host that says which chunk it begins, and then nothing more', () => {
  // As one does whose workload's `shared` never returns.
  const HANGS = `
    process.send({ kind: 'ready', workloads: [] });
    process.on('message', (orders) => {
      for (const { kind, chunk } of orders) {
        if (kind !== 'chunk') continue;
        const empty = new Uint32Array(0);
        const { attemptId, from } = chunk;
        const news = { attemptId, thread: 0, from, to: from, results: new Uint8Array(4), failures: [], wallUs: empty,
          cpuUs: empty, cpuMs: 0, laneMs: 0, waitMs: 0, serializeMs: 0, end: { kind: 'open' } };
        process.send({ kind: 'news', news: [news], rssBytes: 1, stallMs: 0 }, () => { for (;;); });
      }
    });
  `;

  it('is killed once the time of a task has passed, and the task is named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hanging-host-'));
    const path = join(folder, 'host.mjs');
    writeFileSync(path, HANGS);
    startHostsAs(((_path: string, args: string[], options: object) => fork(path, args, options)) as typeof fork);
    await begin();
    bench.open('a', 'noop', noop, { taskTimeoutMs: 50 });
    bench.assign('a', 1, 7, 9);
    await bench.ended(1);
    const { code, message, culprit } = bench.lossOf(1);
    const said = 'took longer than 50 ms; its host process was killed';
    assert.deepEqual([code, message, culprit], ['TASK_TIMED_OUT', said, 7]);
    rmSync(folder, { recursive: true });
  });
});
