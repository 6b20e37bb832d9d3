import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster } from './cluster.ts';
import type { RunJson } from './wire.ts';

/**
 * Twelve bands of the plane: of those far from the set every pixel escapes at once, the four across it never end.
 * Tasks 4 to 7 block their thread for minutes; the others take milliseconds.
 */
const BANDS = ['width=1600', 'height=4800', 'rowsPerTask=400', 'maxIterations=1000000'].flatMap((set) => [
  '--set',
  set,
]);
const shapes: readonly (readonly [string, readonly string[]])[] = [
  ['processes', ['--model', 'processes', '--processes', '2']],
  ['threads', ['--model', 'threads', '--threads', '2']],
  ['async', ['--model', 'async', '--concurrency', '4']],
];

describe('time limits', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agents: 1 });
  });
  after(() => cluster.stop());

  for (const [name, options] of shapes) {
    it(`--timeout fails the tasks that block too long, and no other, under ${name}`, async () => {
      const run = await cluster.json<RunJson>(['run', 'mandelbrot', ...BANDS, ...options, '--timeout', '1500ms']);
      const failed = run.failures.map(({ task, code }) => [task, code]).sort();
      assert.deepEqual(
        failed,
        [4, 5, 6, 7].map((task) => [task, 'TASK_TIMED_OUT']),
      );
      assert.equal(run.succeeded, 8);
    });

    it(`--timeout fails tasks that wait too long, and no other, under ${name}`, async () => {
      const waiting = ['run', 'synthetic', '--set', 'cpuMs=0', '--set', 'count=4', ...options];
      const long = await cluster.json<RunJson>([...waiting, '--set', 'ioMs=60000', '--timeout', '300ms']);
      assert.deepEqual([...new Set(long.failures.map(({ code }) => code))], ['TASK_TIMED_OUT']);
      assert.equal(long.failed, 4);
      const short = await cluster.json<RunJson>([...waiting, '--set', 'ioMs=20', '--timeout', '2s']);
      assert.equal(short.succeeded, 4);
    });

    it(`--deadline cancels the run, whether its tasks block or wait, under ${name}`, async () => {
      for (const inputs of [
        ['--set', 'cpuMs=600000'],
        ['--set', 'cpuMs=0', '--set', 'ioMs=600000'],
      ]) {
        const args = ['run', 'synthetic', '--set', 'count=6', ...inputs, ...options, '--deadline', '600ms', '--json'];
        const { code, stdout } = await cluster.regatta(args);
        const run = JSON.parse(stdout) as RunJson;
        assert.deepEqual([code, run.state, run.cancelled], [1, 'cancelled', 6]);
        assert.match(run.reason ?? '', /deadline of 600 ms/);
        assert.ok(run.wallMs < 3_000, `took ${run.wallMs} ms`);
      }
    });
  }

  it('--timeout spares tasks that are short but wait long for their turn on a shared thread', async () => {
    // Each is short even on a busy machine; the last one waits longer than the limit in any case.
    const shape = ['--model', 'async', '--concurrency', '64'];
    const inputs = ['--set', 'count=64', '--set', 'cpuMs=80'];
    const run = await cluster.json<RunJson>(['run', 'synthetic', ...inputs, ...shape, '--timeout', '3s']);
    assert.deepEqual([run.succeeded, run.failures], [64, []]);
  });

  it('--timeout spares tasks that wait for the threads of a new host process to start', async () => {
    // So many take longer to start than a silent host is given.
    const shape = ['--model', 'threads', '--threads', '16'];
    const run = await cluster.json<RunJson>(['run', 'noop', '--set', 'count=32', ...shape, '--timeout', '500ms']);
    assert.deepEqual([run.succeeded, run.failures], [32, []]);
  });
});
