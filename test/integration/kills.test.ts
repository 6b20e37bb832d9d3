/**
 * Processes die and lose each other while a run goes on; its results are those of a serial run all the same. An agent
 * that is stopped for a while is in lost-processes.test.ts.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { type Agent, Cluster, childrenOf, cpuTicksOf, eventually, isRunning } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';
import { Network } from './network.ts';

const HOST_KILLS = 10;
/** Of a host, from its start on: it computes by then. */
const BUSY_TICKS = 30;
const LEASE_MS_MAX = 12_000;
const BACK_MS_MAX = 15_000;

describe('a run gives what a serial run gives, each task once, though', () => {
  it('one host process after another is killed with -9', async () => {
    const inputs = { count: 800, samples: 400_000 };
    const expected = await serialValues('monte-carlo-pi', inputs);
    await using cluster = await Cluster.start();
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('monte-carlo-pi', inputs, { policy: 'self', chunk: 4, model: 'processes' });
    const over = direct.ended(runId);
    let kills = 0;
    while (kills < HOST_KILLS && (await direct.client.run(runId)).state === 'running') {
      if (await killBusyHost(cluster.agents)) kills++;
    }
    const run = await over;
    assertRight(run, 800);
    assert.deepEqual(await direct.values(runId), expected);
    assert.equal(kills, HOST_KILLS, 'the run was over too soon');
    assert.ok(run.accounting.hostRestarts >= 1, 'no kill hit a chunk');
  });

  it('each agent in turn is killed with -9 and started anew', async () => {
    await using cluster = await Cluster.start();
    using direct = new Direct(cluster.address);
    const { runId, expected } = await submitWaiting(direct, 400);
    const over = direct.ended(runId);
    for (const round of [1, 2]) {
      for (const [i, { id, pid }] of cluster.agents.entries()) {
        await eventually(async () => (await busyLanes(direct, id)) > 0, 10_000, `${id} to work in round ${round}`);
        process.kill(pid, 'SIGKILL');
        await eventually(() => !isRunning(pid), 5_000, 'the agent to die');
        await eventually(async () => (await stateOf(direct, id)) === 'lost', 10_000, 'its loss to be noticed');
        cluster.agents[i] = await restarted(cluster, id);
      }
    }
    const run = await over;
    assertRight(run, 400);
    assert.deepEqual(await direct.values(runId), expected);
    assert.ok(run.accounting.lostAttempts >= 4, `${run.accounting.lostAttempts} attempts were lost with four agents`);
  });

  it('the connection to an agent is cut, again and again', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    await using network = await Network.start(cluster.address);
    await cluster.addAgent('far', { dials: network.address });
    using direct = new Direct(cluster.address);
    const { runId, expected } = await submitWaiting(direct, 300);
    for (let cuts = 0; cuts < 4; cuts++) {
      await eventually(async () => (await busyLanes(direct, 'far')) > 0, BACK_MS_MAX, 'it to work');
      network.cut();
      await eventually(async () => (await stateOf(direct, 'far')) === 'lost', 5_000, 'the cut to be noticed');
      await eventually(async () => (await stateOf(direct, 'far')) === 'alive', BACK_MS_MAX, 'it to come back');
    }
    const run = await direct.ended(runId);
    assertRight(run, 300);
    assert.deepEqual(await direct.values(runId), expected);
    assert.ok(run.accounting.lostAttempts >= 4);
  });

  for (const ending of ['goes on', 'breaks'] as const) {
    it(`the connection to an agent delivers nothing for longer than a lease, then ${ending}`, async () => {
      await using cluster = await Cluster.start({ agents: 1 });
      await using network = await Network.start(cluster.address);
      await cluster.addAgent('far', { dials: network.address });
      using direct = new Direct(cluster.address);
      const { runId, expected } = await submitWaiting(direct, 300);
      await eventually(async () => (await busyLanes(direct, 'far')) > 0, 10_000, 'it to work');
      network.fallSilent();
      await eventually(async () => (await stateOf(direct, 'far')) === 'lost', LEASE_MS_MAX, 'its lease to run out');
      if (ending === 'breaks') network.cut();
      network.speak();
      await eventually(async () => (await stateOf(direct, 'far')) === 'alive', BACK_MS_MAX, 'it to come back');
      const run = await direct.ended(runId);
      assertRight(run, 300);
      assert.deepEqual(await direct.values(runId), expected);
      assert.ok(run.accounting.lostAttempts > 0);
    });
  }
});

/** A run that takes its time without taking the machine's: two tasks at a time on each node, 40 ms each. */
async function submitWaiting(
  direct: Direct,
  count: number,
): Promise<{ runId: string; expected: Map<number, unknown> }> {
  const inputs = { count, cpuMs: 0, bytes: 64 };
  const shape = { model: 'async', concurrency: 2, policy: 'self' } as const;
  const runId = await direct.submit('synthetic', { ...inputs, ioMs: 40 }, shape);
  return { runId, expected: await serialValues('synthetic', inputs) };
}

function assertRight({ state, succeeded, failures }: RunView, count: number): void {
  assert.deepEqual([state, succeeded, failures], ['succeeded', count, []]);
}

const stateOf = async (direct: Direct, node: string): Promise<string | undefined> =>
  (await direct.client.nodes()).find(({ id }) => id === node)?.state;

const busyLanes = async (direct: Direct, node: string): Promise<number> =>
  (await direct.client.nodes()).find(({ id }) => id === node)?.busyLanes ?? 0;

/** One at random of those that compute; whether there was one. */
async function killBusyHost(agents: readonly Agent[]): Promise<boolean> {
  const busy = agents.flatMap(({ pid }) => childrenOf(pid)).filter((pid) => cpuTicksOf(pid) >= BUSY_TICKS);
  const victim = busy[Math.floor(Math.random() * busy.length)];
  if (victim === undefined) return false;
  process.kill(victim, 'SIGKILL');
  await eventually(() => !isRunning(victim), 5_000, 'a host to die');
  return true;
}

/** @returns the agent that takes the place of a dead one of this name */
async function restarted(cluster: Cluster, id: string): Promise<Agent> {
  const agent = await cluster.addAgent(id);
  cluster.agents.pop();
  return agent;
}
