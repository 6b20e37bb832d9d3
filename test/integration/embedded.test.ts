import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { builtinWorkloads } from '@regatta/workloads';
import { Sandbox } from './cluster.ts';
import { type RunJson, type ShownRun, type StatusJson, sumsFrom } from './wire.ts';

const RUN_KEYS = ['runId', 'state', 'tasks', 'succeeded', 'failed', 'cancelled', 'wallMs', 'failures'];

describe('a cluster that up started', () => {
  let sandbox: Sandbox;
  let up: StatusJson;
  let first: RunJson;
  before(async () => {
    sandbox = new Sandbox();
    up = await sandbox.json<StatusJson>(['up']);
    first = await sandbox.json<RunJson>(['run', 'number-cruncher', '--set', 'n=1000', '--set', 'count=3']);
  });
  after(() => sandbox.discard());

  it('is what status --json says it is, in the shape that scripts rely on', async () => {
    const status = await sandbox.json<StatusJson>(['status']);
    assert.deepEqual(Object.keys(status), ['coordinator', 'nats', 'access', 'nodes']);
    assert.deepEqual(Object.keys(status.nats), ['servers', 'journal', 'complaint', 'server']);
    assert.deepEqual([status.nats.journal, status.nats.complaint, status.nats.server?.gone], [true, null, false]);
    assert.deepEqual(Object.keys(status.coordinator), ['pid', 'address', 'metrics']);
    assert.deepEqual(status.coordinator, up.coordinator);
    assert.equal(status.nodes.length, 2);
    for (const node of status.nodes) {
      assert.deepEqual(Object.keys(node), ['id', 'pid', 'state', 'cores', 'quota', 'lanes']);
      assert.equal(node.state, 'alive');
      assert.ok(node.cores >= 1);
      assert.ok(node.quota > 0);
      assert.ok(node.lanes >= 1);
    }
    const running = new Set(sandbox.processes());
    for (const pid of [status.coordinator.pid!, ...status.nodes.map(({ pid }) => pid)]) assert.ok(running.has(pid));
  });

  it('cannot be started twice: one line, exit code 2 or 3, and the first goes on', async () => {
    const { code, stdout, stderr } = await sandbox.regatta(['up', '--json']);
    assert.ok(code === 2 || code === 3);
    assert.equal(stdout, '');
    assert.match(stderr, /^regatta: a cluster is up at \S+; end it with regatta down\n$/);
    assert.equal((await sandbox.json<StatusJson>(['status'])).coordinator.pid, up.coordinator.pid);
  });

  it('tells its nodes with their cores by system and quota, and its workloads with their inputs', async () => {
    const nodes = await sandbox.json<Record<string, unknown>[]>(['nodes']);
    assert.equal(nodes.length, 2);
    for (const node of nodes) for (const key of ['cores', 'osCores', 'quota']) assert.equal(typeof node[key], 'number');
    const workloads = await sandbox.json<{ name: string; parameters: { name: string }[] }[]>(['workloads']);
    const names = workloads.map(({ name }) => name);
    assert.deepEqual(names.sort(), builtinWorkloads.map(({ name }) => name).sort());
    const synthetic = workloads.find(({ name }) => name === 'synthetic')!.parameters.map(({ name }) => name);
    for (const name of ['count', 'cpuMs', 'ioMs', 'bytes', 'failureRate']) assert.ok(synthetic.includes(name), name);
  });

  it('lists its runs newest first, without results', async () => {
    const second = await sandbox.json<RunJson>(['run', 'noop', '--set', 'count=7']);
    const runs = await sandbox.json<RunJson[]>(['runs']);
    assert.deepEqual(
      runs.slice(0, 2).map(({ runId }) => runId),
      [second.runId, first.runId],
    );
    for (const run of runs) {
      assert.ok(!('result' in run));
      for (const key of RUN_KEYS) assert.ok(key in run, key);
    }
  });

  it('shows, watches, explains and gives the results of a run that has ended', async () => {
    const { runId } = first;
    const shown = await sandbox.json<ShownRun>(['show', runId]);
    assert.deepEqual([shown.runId, shown.state, shown.succeeded], [runId, 'succeeded', 3]);
    const watched = await sandbox.regatta(['watch', runId, '--json']);
    assert.deepEqual([watched.code, (JSON.parse(watched.stdout) as RunJson).state], [0, 'succeeded']);
    const { reasons } = await sandbox.json<{ reasons: { code: string }[] }>(['explain', runId]);
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['ENDED'],
    );
    const { stdout } = await sandbox.regatta(['results', runId]);
    const lines = sumsFrom(1000, 3).map((sum, task) => `${task}\t${sum}`);
    assert.match(stdout.replaceAll('"', ''), new RegExp(lines.join('\\s+')));
  });

  it('cancels a long run quickly, with every task accounted for', async () => {
    const long = ['run', 'synthetic', '--set', 'count=50000', '--set', 'cpuMs=20', '--json'];
    const cli = sandbox.start(long);
    let runId = '';
    while (runId === '') {
      const [run] = await sandbox.json<RunJson[]>(['runs']);
      if (run?.tasks === 50_000) runId = run.runId;
    }
    const { reasons } = await sandbox.json<{ reasons: { code: string }[] }>(['explain', runId]);
    assert.ok(reasons.some(({ code }) => code === 'IN_FLIGHT' || code === 'LANES_BUSY'));
    const start = performance.now();
    const cancelled = await sandbox.json<RunJson>(['cancel', runId]);
    assert.ok(performance.now() - start < 4_000);
    assert.equal(cancelled.state, 'cancelled');
    assert.equal(cancelled.succeeded + cancelled.failed + cancelled.cancelled, 50_000);
    const { code, stdout } = await cli.ended;
    const seen = JSON.parse(stdout) as RunJson;
    assert.deepEqual([code, seen.state, seen.result], [1, 'cancelled', null]);
    const again = await sandbox.regatta(['cancel', runId]);
    assert.equal(again.code, 0);
    assert.match(again.stdout, /had ended already: cancelled/);
  });

  for (const command of ['show', 'watch', 'cancel', 'results', 'explain']) {
    it(`${command} of a run that is not known gets one line`, async () => {
      const { code, stdout, stderr } = await sandbox.regatta([command, 'run-nonsense', '--json']);
      assert.deepEqual([code, stdout, stderr], [2, '', 'regatta: no run run-nonsense; see regatta runs\n']);
    });
  }

  it('is gone after down, with every process of it; down again says that nothing was up', async () => {
    const down = await sandbox.regatta(['down']);
    assert.equal(down.code, 0);
    assert.deepEqual(sandbox.processes(), []);
    const again = await sandbox.json<{ ended: boolean }>(['down']);
    assert.equal(again.ended, false);
  });
});
