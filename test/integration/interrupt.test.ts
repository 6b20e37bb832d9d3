import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster, childrenOf, cpuTicksOf, eventually, isConnectedTo, type RunningCli, Sandbox } from './cluster.ts';
import type { RunJson } from './wire.ts';

const LONG_RUN = ['run', 'synthetic', '--set', 'count=100000', '--set', 'cpuMs=20'];
const BLOCKING_RUN = ['run', 'synthetic', '--set', 'count=8', '--set', 'cpuMs=600000', '--model', 'threads'];
const LONG_RACE = ['race', 'synthetic', '--set', 'count=2000', '--set', 'cpuMs=20'];
const STARTING = /No cluster is up. Starting a cluster here/;
const INTERRUPT_MS_MAX = 4_000;

const cases: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['run', LONG_RUN],
  ['run whose tasks never yield', BLOCKING_RUN],
  ['race', LONG_RACE],
  ['demo', ['demo']],
];

describe('a command with a cluster of its own', () => {
  for (const [name, args] of cases) {
    it(`ends on Ctrl-C in mid-${name} with 130, within 4 s, and leaves no process`, async () => {
      await using sandbox = new Sandbox();
      const cli = sandbox.start(args);
      await working(sandbox, cli);
      const { code, tookMs, stderr } = await signalled(cli, 'SIGINT');
      assert.equal(code, 130, stderr);
      assert.ok(tookMs < INTERRUPT_MS_MAX, `took ${tookMs} ms`);
      assert.doesNotMatch(stderr, /bug|\n\s+at /);
      await sandbox.nothingLeft(500);
    });
  }

  it('ends on SIGTERM likewise', async () => {
    await using sandbox = new Sandbox();
    const cli = sandbox.start(LONG_RUN);
    await working(sandbox, cli);
    const { code, tookMs } = await signalled(cli, 'SIGTERM');
    assert.ok(tookMs < INTERRUPT_MS_MAX, `took ${tookMs} ms`);
    assert.equal(code, 130);
    await sandbox.nothingLeft(500);
  });

  it('leaves no process when it is killed with -9 in mid-run', async () => {
    await using sandbox = new Sandbox();
    const cli = sandbox.start(BLOCKING_RUN);
    await working(sandbox, cli);
    cli.child.kill('SIGKILL');
    await cli.ended;
    await sandbox.nothingLeft();
  });

  // From the coordinator's first moments to those of the agents and their hosts.
  for (const processes of [2, 3, 4, 6]) {
    it(`leaves no process when it is killed with -9 as soon as there are ${processes} processes`, async () => {
      await using sandbox = new Sandbox();
      const cli = sandbox.start(LONG_RUN);
      await cli.says(STARTING);
      await eventually(() => sandbox.processes().length >= processes, 10_000, `${processes} processes`);
      cli.child.kill('SIGKILL');
      await cli.ended;
      await sandbox.nothingLeft(4_000);
    });

    it(`ends on Ctrl-C as soon as there are ${processes} processes with 130, and leaves none`, async () => {
      await using sandbox = new Sandbox();
      const cli = sandbox.start(LONG_RUN);
      await cli.says(STARTING);
      await eventually(() => sandbox.processes().length >= processes, 10_000, `${processes} processes`);
      const { code, tookMs, stderr } = await signalled(cli, 'SIGINT');
      assert.equal(code, 130, stderr);
      assert.ok(tookMs < 2 * INTERRUPT_MS_MAX, `took ${tookMs} ms`);
      await sandbox.nothingLeft(500);
    });
  }
});

describe('a command that uses a cluster that stays', () => {
  it('run: Ctrl-C cancels the run, prints how it stands, and the cluster goes on', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    const cli = cluster.start([...LONG_RUN, '--json']);
    await runIsUnderWay(cluster);
    const { code, tookMs, stdout } = await signalled(cli, 'SIGINT');
    assert.equal(code, 130);
    assert.ok(tookMs < INTERRUPT_MS_MAX, `took ${tookMs} ms`);
    const run = JSON.parse(stdout) as RunJson;
    assert.deepEqual([run.state, run.result], ['cancelled', null]);
    assert.equal(run.succeeded + run.failed + run.cancelled, run.tasks);
    const [listed] = await cluster.json<RunJson[]>(['runs']);
    assert.deepEqual([listed?.runId, listed?.state], [run.runId, 'cancelled']);
    const again = await cluster.regatta(['run', 'noop', '--set', 'count=10']);
    assert.equal(again.code, 0, again.stderr);
  });

  for (const command of ['watch', 'results']) {
    it(`${command}: one Ctrl-C ends it with 130 and leaves the run running`, async () => {
      await using cluster = await Cluster.start({ agents: 1 });
      const cli = cluster.start(LONG_RUN);
      const runId = await runIsUnderWay(cluster);
      const follower = cluster.start([command, runId]);
      await connected(follower, cluster);
      const { code, tookMs } = await signalled(follower, 'SIGINT');
      const [run] = await cluster.json<RunJson[]>(['runs']);
      await signalled(cli, 'SIGINT');
      assert.ok(tookMs < INTERRUPT_MS_MAX, `took ${tookMs} ms`);
      assert.equal(code, 130);
      assert.equal(run?.state, 'running');
    });
  }
});

/** Waits until a host process computes: the cluster is up and the run is under way. */
async function working(sandbox: Sandbox, cli: RunningCli): Promise<void> {
  await cli.says(/Starting a cluster here/);
  const busyAgent = (): boolean => {
    const hosts = sandbox
      .processes()
      .flatMap((pid) => childrenOf(pid).filter((child) => childrenOf(child).length === 0));
    return hosts.length >= 4 && hosts.filter((pid) => cpuTicksOf(pid) >= 60).length >= 1;
  };
  await eventually(busyAgent, 20_000, 'a host process to compute');
}

async function signalled(
  { child, ended }: RunningCli,
  signal: NodeJS.Signals,
): Promise<Awaited<RunningCli['ended']> & { tookMs: number }> {
  const start = performance.now();
  child.kill(signal);
  // One that ignores the signal is asked a second time, so that the test tells of it and ends.
  const impatient = setTimeout(() => child.kill(signal), 5_000);
  const how = await ended;
  clearTimeout(impatient);
  return { ...how, tookMs: performance.now() - start };
}

async function runIsUnderWay(cluster: Cluster): Promise<string> {
  let runId = '';
  const running = async (): Promise<boolean> => {
    const [run] = await cluster.json<RunJson[]>(['runs']);
    runId = run?.runId ?? '';
    return run?.state === 'running';
  };
  await eventually(running, 15_000, 'the run to be under way');
  return runId;
}

/** Waits for its connection to the coordinator: by then it has long been ready for signals. */
async function connected({ child }: RunningCli, cluster: Cluster): Promise<void> {
  const port = Number(cluster.address.split(':').at(-1));
  await eventually(() => isConnectedTo(child.pid!, port), 15_000, 'the command to reach its coordinator');
}
