/** What is stopped stops, whatever its tasks do: at once no core is used for it any more, and what comes next is safe. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import { type Cluster, childrenOf, cpuTicksOf, eventually, isRunning } from './cluster.ts';
import { type Direct, oneForAll } from './direct.ts';
import type { RunJson } from './wire.ts';

/** On an idle machine it is a third of a second. */
const STOPS_MS_MAX = 2_000;
/** More CPU time than a host needs to start. */
const SPINNING_TICKS = 30;
const QUIET_MS = 200;
const QUIET_TICKS_MAX = 3;
const SUCCESSIONS = 4;

const shapes: readonly Partial<RunOptions>[] = [
  { model: 'serial' },
  { model: 'async', concurrency: 4 },
  { model: 'threads', threads: 2 },
  { model: 'processes', processes: 2 },
  { model: 'hybrid', processes: 2, threads: 2, concurrency: 2 },
];
/** Each task is a loop that nothing but a kill ends. */
const endless = { how: 'spin', every: 1, count: 100 };

describe('a run of endless loops', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  const hosts = (): number[] => cluster.agents.flatMap(({ pid }) => childrenOf(pid));
  const start = (shape: Partial<RunOptions>) => {
    const inputs = Object.entries(endless).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const options = Object.entries(shape).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return cluster.start(['run', 'faulty', ...inputs, ...options, '--json']);
  };

  /** Resolves with the run, and with the host processes that spin for it. */
  async function underWay(): Promise<{ runId: string; spinning: number[] }> {
    let runId = '';
    await eventually(
      async () => {
        const [newest] = await direct.client.runs(1);
        if (newest?.state === 'running') runId = newest.runId;
        return runId !== '';
      },
      15_000,
      'the run to be under way',
    );
    const before = new Map(hosts().map((pid) => [pid, cpuTicksOf(pid)]));
    const spinning = (): number[] => hosts().filter((pid) => cpuTicksOf(pid) - (before.get(pid) ?? 0) > SPINNING_TICKS);
    await eventually(() => spinning().length > 0, 15_000, 'a host process to spin');
    return { runId, spinning: spinning() };
  }

  /** All that spun is dead, hosts that took its place have nothing to do, and the nodes work. */
  async function nothingIsLeft(spinning: readonly number[], stoppedAt: number): Promise<void> {
    await eventually(() => !spinning.some(isRunning), STOPS_MS_MAX, 'what spins to be killed');
    const tookMs = performance.now() - stoppedAt;
    assert.ok(tookMs < STOPS_MS_MAX, `it took ${tookMs} ms`);
    await eventually(() => isQuiet(hosts()), 15_000, 'no host process to use a core');
    const next = await direct.run('noop', { count: 20 });
    assert.deepEqual([next.state, next.succeeded], ['succeeded', 20]);
  }

  for (const shape of shapes) {
    const under = `under ${shape.model}`;
    it(`stops when it is cancelled, ${under}`, async () => {
      const running = start(shape);
      const { runId, spinning } = await underWay();
      const stoppedAt = performance.now();
      await direct.client.cancel(runId, 'by the test');
      assert.equal((await direct.ended(runId, STOPS_MS_MAX)).state, 'cancelled');
      await nothingIsLeft(spinning, stoppedAt);
      const { code, stdout } = await running.ended;
      const run = JSON.parse(stdout) as RunJson;
      assert.deepEqual([code, run.state, run.reason, run.failures], [1, 'cancelled', 'by the test', []]);
    });

    it(`stops on Ctrl-C, ${under}`, async () => {
      const running = start(shape);
      const { runId, spinning } = await underWay();
      const stoppedAt = performance.now();
      running.child.kill('SIGINT');
      assert.equal((await direct.ended(runId, STOPS_MS_MAX)).state, 'cancelled');
      await nothingIsLeft(spinning, stoppedAt);
      const { code, stdout } = await running.ended;
      assert.deepEqual([code, (JSON.parse(stdout) as RunJson).state], [130, 'cancelled']);
    });

    it(`stops at its deadline, ${under}`, async () => {
      const run = await direct.run('faulty', endless, { ...shape, deadline: 600 });
      assert.deepEqual([run.state, run.failures], ['cancelled', []]);
      assert.match(run.reason, /deadline of 600 ms/);
      assert.ok(run.wallMs >= 600 && run.wallMs < 600 + STOPS_MS_MAX, `took ${run.wallMs} ms`);
      await nothingIsLeft([], performance.now());
    });

    it(`is killed without harm to the run behind it, ${SUCCESSIONS} times over, ${under}`, async () => {
      for (let time = 1; time <= SUCCESSIONS; time++) {
        const doomed = await direct.submit('faulty', endless, shape);
        const isAtWork = async (): Promise<boolean> => (await direct.client.run(doomed)).inFlight > 0;
        await eventually(isAtWork, 15_000, 'the first run to be at work');
        const [, next] = await Promise.all([
          direct.client.cancel(doomed, 'by the test'),
          direct.run('noop', { count: 20 }, shape),
        ]);
        const { hostRestarts, lostAttempts } = next.accounting;
        assert.deepEqual([next.state, next.succeeded, hostRestarts, lostAttempts], ['succeeded', 20, 0, 0]);
        assert.equal((await direct.ended(doomed)).state, 'cancelled');
      }
    });
  }
});

/** Whether none of the processes used a core in the last moments; one that has just started does. */
async function isQuiet(pids: readonly number[]): Promise<boolean> {
  const before = pids.map(cpuTicksOf);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  return pids.every((pid, i) => cpuTicksOf(pid) - before[i]! <= QUIET_TICKS_MAX);
}
