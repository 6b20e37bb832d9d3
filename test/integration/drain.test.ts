import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Cluster, eventually, isRunning } from './cluster.ts';
import { type Direct, oneForAll, serialValues } from './direct.ts';

interface NodeJson {
  readonly id: string;
  readonly state: string;
  readonly lanes: number;
  readonly busyLanes: number;
}

/** Two nodes that work on two at a time take four seconds: commands take their time on a busy machine. */
const COUNT = 240;
const TASK_MS = 66;
/** That only a node that need not wait for it can be rid of in time. */
const LONG_MS = 60_000;
const inputs = { count: COUNT, cpuMs: 0, bytes: 16 };
const shape = { model: 'async', concurrency: 2, policy: 'self' } as const;

describe('a node that drains', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  const node = async (id: string): Promise<NodeJson> => (await direct.client.nodes()).find((one) => one.id === id)!;
  const works = (id: string): Promise<void> =>
    eventually(async () => (await node(id)).busyLanes > 0, 10_000, `${id} to work`);
  const tasksOn = async (runId: string, id: string): Promise<number> =>
    (await direct.client.run(runId)).accounting.nodes.find((share) => share.node === id)?.tasks ?? 0;

  for (const options of [[], ['--hand-back']]) {
    it(`${options.join() || 'without --hand-back'}: has no work left, and gets some again when it resumes`, async () => {
      const runId = await direct.submit('synthetic', { ...inputs, ioMs: TASK_MS }, shape);
      await works('node-1');
      const drained = await cluster.json<NodeJson>(['nodes', 'drain', 'node-1', ...options]);
      assert.deepEqual([drained.state, drained.busyLanes], ['drained', 0]);
      assert.ok(isRunning(cluster.agents[0]!.pid), 'its agent has ended');
      const before = await tasksOn(runId, 'node-1');
      const progress = (await direct.client.run(runId)).succeeded;
      await eventually(async () => (await direct.client.run(runId)).succeeded > progress, 5_000, 'the other to go on');
      assert.equal(await tasksOn(runId, 'node-1'), before, 'it got work while it was drained');
      const resumed = await cluster.json<NodeJson>(['nodes', 'resume', 'node-1']);
      assert.equal(resumed.state, 'alive');
      await eventually(async () => (await tasksOn(runId, 'node-1')) > before, 10_000, 'it to work again');
      const run = await direct.ended(runId);
      assert.deepEqual([run.state, run.succeeded, run.failures], ['succeeded', COUNT, []]);
      assert.deepEqual(await direct.values(runId), await serialValues('synthetic', inputs));
    });
  }

  it('with --hand-back lets go of tasks that take long; without, it waits for them, and --no-wait does not', async () => {
    const runId = await direct.submit('synthetic', { ...inputs, count: 8, ioMs: LONG_MS }, shape);
    await works('node-1');
    const draining = await cluster.json<NodeJson>(['nodes', 'drain', 'node-1', '--no-wait']);
    assert.equal(draining.state, 'draining');
    assert.ok(draining.busyLanes > 0);
    const drained = await cluster.json<NodeJson>(['nodes', 'drain', 'node-1', '--hand-back']);
    assert.deepEqual([drained.state, drained.busyLanes], ['drained', 0]);
    await direct.client.cancel(runId, 'the test is over');
    assert.equal((await direct.ended(runId)).state, 'cancelled');
    await direct.client.resume('node-1');
  });

  it('is why a run waits, and explain says so, where it is the only one', async () => {
    for (const { id } of cluster.agents) assert.equal((await direct.client.drain(id, false)).state, 'drained');
    const runId = await direct.submit('noop', { count: 10 });
    const explained = await cluster.json<{ reasons: { code: string; text: string }[] }>(['explain', runId]);
    assert.deepEqual(
      explained.reasons.map(({ code }) => code),
      ['NODES_DRAINING'],
    );
    const text = await cluster.regatta(['explain', runId]);
    assert.match(text.stdout, /^NODES_DRAINING: .*drain/);
    const listed = await cluster.regatta(['nodes']);
    assert.match(listed.stdout, /node-1\s+drained/);
    await direct.client.resume('node-2');
    assert.equal((await direct.ended(runId)).succeeded, 10);
    await direct.client.resume('node-1');
  });

  it('and is lost meanwhile is lost as any other: the run ends right without it', async () => {
    const agent = await cluster.addAgent('node-3');
    const runId = await direct.submit('synthetic', { ...inputs, ioMs: TASK_MS }, shape);
    await works('node-3');
    const draining = cluster.start(['nodes', 'drain', 'node-3']);
    await eventually(async () => (await node('node-3')).state !== 'alive', 10_000, 'it to drain');
    process.kill(agent.pid, 'SIGKILL');
    assert.equal((await draining.ended).code, 0);
    const run = await direct.ended(runId);
    assert.deepEqual([run.state, run.succeeded], ['succeeded', COUNT]);
    assert.deepEqual(await direct.values(runId), await serialValues('synthetic', inputs));
  });

  for (const command of ['drain', 'resume']) {
    it(`cannot be one that nobody knows: ${command} says so in one line that names those there are`, async () => {
      const { code, stdout, stderr } = await cluster.regatta(['nodes', command, 'nonsense']);
      assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [2, '', 1], stderr);
      assert.match(stderr, /^regatta: no node "?nonsense"? is connected; there are: .*node-1/);
    });
  }
});
