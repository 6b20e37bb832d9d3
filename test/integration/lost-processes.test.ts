import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, childrenOf, cpuTicksOf, eventually, isRunning, Sandbox } from './cluster.ts';
import type { ResultJson, RunJson, ShownRun, StatusJson } from './wire.ts';

const COUNT = 120;
const CPU_MS = 20;
const work = ['run', 'synthetic', '--set', `count=${COUNT}`, '--set', `cpuMs=${CPU_MS}`, '--json'];
const everyTaskOnce = Array.from({ length: COUNT }, (_, task) => ({ task, value: task }));
const ENDS_MS_MAX = 40_000;
/** Without news the command says after three seconds why, and says it once. */
const SAYS_SO_MS = 7_000;

describe('a process is killed with -9 in mid-run', () => {
  it('an agent: the run ends with every result once, and the hosts of the agent die with it', async () => {
    await using cluster = await Cluster.start();
    const run = cluster.start(work);
    const { nodes } = await cluster.json<StatusJson>(['status']);
    const victim = nodes.find(({ id }) => id === 'node-1')!;
    const hosts = childrenOf(victim.pid);
    assert.ok(hosts.length > 0);
    await hostIsBusy(hosts);
    process.kill(victim.pid, 'SIGKILL');
    await eventually(() => hosts.every((pid) => !isRunning(pid)), 2_000, 'the hosts of a killed agent to die');
    const { runId } = await endsWell(run.ended);
    await everyResultOnce(cluster, runId);
    const shown = await cluster.json<ShownRun>(['show', runId]);
    assert.ok(shown.accounting.lostAttempts > 0, 'nothing was lost with the agent: it was killed too late');
    const after = await cluster.json<StatusJson>(['status']);
    assert.deepEqual(after.nodes.map(({ id, state }) => [id, state]).sort(), [
      ['node-1', 'lost'],
      ['node-2', 'alive'],
    ]);
  });

  it('the only agent: the run waits, says why, and ends when another agent comes', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    const run = cluster.start(work);
    const [agent] = cluster.agents;
    await hostIsBusy(childrenOf(agent!.pid));
    process.kill(agent!.pid, 'SIGKILL');
    const [waiting] = await cluster.json<RunJson[]>(['runs']);
    await eventually(
      async () => (await reasonsFor(cluster, waiting!.runId)).includes('NO_NODES'),
      5_000,
      'explain to say NO_NODES',
    );
    await sleep(SAYS_SO_MS);
    await cluster.addAgent('node-9');
    const { runId } = await endsWell(run.ended);
    const said = (await run.ended).stderr.match(/^synthetic: waiting: .*$/gm);
    assert.deepEqual(said, [
      'synthetic: waiting: no node is connected: start a node-agent that dials this coordinator',
    ]);
    await everyResultOnce(cluster, runId);
  });

  for (const model of ['processes', 'threads', 'async']) {
    it(`a host process under ${model}: the run ends with every result once`, async () => {
      await using cluster = await Cluster.start({ agents: 1 });
      const run = cluster.start([...work, '--model', model]);
      const { pid } = cluster.agents[0]!;
      const victim = await hostIsBusy(() => childrenOf(pid));
      process.kill(victim, 'SIGKILL');
      const { runId } = await endsWell(run.ended);
      await everyResultOnce(cluster, runId);
    });
  }

  it('host after host: the run still ends with every result once', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    const run = cluster.start([...work, '--model', 'processes']);
    const { pid } = cluster.agents[0]!;
    let over = false;
    void run.ended.finally(() => {
      over = true;
    });
    for (let kills = 0; kills < 4 && !over; kills++) {
      const victim = await hostIsBusy(() => childrenOf(pid));
      process.kill(victim, 'SIGKILL');
      await eventually(() => !isRunning(victim), 2_000, 'the host to die');
    }
    const { runId } = await endsWell(run.ended);
    await everyResultOnce(cluster, runId);
  });

  it('the coordinator: the command that follows a run says so in one line, exit code 3', async () => {
    await using sandbox = new Sandbox();
    // With a journal it would wait for another one to take over.
    const up = await sandbox.json<StatusJson>(['up', '--no-nats']);
    const run = sandbox.start(work);
    await hostIsBusy(up.nodes.flatMap(({ pid }) => childrenOf(pid)));
    process.kill(up.coordinator.pid!, 'SIGKILL');
    const { code, stdout, stderr } = await run.ended;
    assert.deepEqual([code, stdout, stderr.trim().split('\n').length], [3, '', 1], stderr);
    const gone = await sandbox.regatta(['status']);
    assert.equal(gone.code, 3);
    assert.match(gone.stderr, /regatta down/);
    const down = await sandbox.regatta(['down']);
    assert.equal(down.code, 0, down.stderr);
    await sandbox.nothingLeft();
  });
});

describe('an agent is stopped for longer than its lease, then goes on', () => {
  it('leaves every result committed once, and joins again', async () => {
    await using cluster = await Cluster.start();
    const run = cluster.start([...work, '--set', 'count=300']);
    const [agent] = cluster.agents;
    await hostIsBusy(childrenOf(agent!.pid));
    process.kill(agent!.pid, 'SIGSTOP');
    try {
      await eventually(async () => (await stateOf(cluster, agent!.id)) === 'lost', 12_000, 'the lease to run out');
    } finally {
      process.kill(agent!.pid, 'SIGCONT');
    }
    await eventually(async () => (await stateOf(cluster, agent!.id)) === 'alive', 12_000, 'the agent to come back');
    const { runId } = await endsWell(run.ended, 300);
    const results = await cluster.json<ResultJson[]>(['results', runId]);
    assert.deepEqual(
      results,
      Array.from({ length: 300 }, (_, task) => ({ task, value: task })),
    );
    const shown = await cluster.json<ShownRun>(['show', runId]);
    assert.ok(shown.accounting.lostAttempts > 0);
    // Its hosts went on while it stood still: what they had done by then it told, and that was too late.
    assert.ok(shown.accounting.fenced > 0, 'late results were not counted');
  });
});

const stateOf = async (cluster: Cluster, id: string): Promise<string | undefined> =>
  (await cluster.json<StatusJson>(['status'])).nodes.find((node) => node.id === id)?.state;

const reasonsFor = async (cluster: Cluster, runId: string): Promise<string[]> =>
  (await cluster.json<{ reasons: { code: string }[] }>(['explain', runId])).reasons.map(({ code }) => code);

/** Resolves with one of the processes once it has used CPU time beyond its start. */
async function hostIsBusy(hosts: readonly number[] | (() => readonly number[])): Promise<number> {
  const list = typeof hosts === 'function' ? hosts : () => hosts;
  const before = new Map(list().map((pid) => [pid, cpuTicksOf(pid)]));
  let busy: number | undefined;
  const look = (): boolean => {
    for (const pid of list()) {
      if (!before.has(pid)) before.set(pid, cpuTicksOf(pid));
      if (cpuTicksOf(pid) - before.get(pid)! >= 20 && isRunning(pid)) busy = pid;
    }
    return busy !== undefined;
  };
  await eventually(look, 15_000, 'a host process to be busy');
  return busy!;
}

async function endsWell(ended: ReturnType<Cluster['regatta']>, count = COUNT): Promise<RunJson> {
  const timeout = AbortSignal.timeout(ENDS_MS_MAX);
  const hung = once(timeout, 'abort').then(() => {
    throw new Error(`the run had not ended after ${ENDS_MS_MAX} ms`);
  });
  const { code, stdout, stderr } = await Promise.race([ended, hung]);
  assert.equal(code, 0, stderr + stdout);
  const run = JSON.parse(stdout) as RunJson;
  assert.deepEqual([run.state, run.succeeded, run.failed], ['succeeded', count, 0]);
  assert.deepEqual(run.result, { tasks: count, bytes: 0 });
  return run;
}

async function everyResultOnce(cluster: Cluster, runId: string): Promise<void> {
  assert.deepEqual(await cluster.json<ResultJson[]>(['results', runId]), everyTaskOnce);
}
