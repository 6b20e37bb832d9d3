/** A run that gets nowhere is explained in the coordinator's log: nobody may be looking. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import { Cluster, eventually, Sandbox } from './cluster.ts';
import { Direct } from './direct.ts';

interface LogLine {
  readonly msg: string;
  readonly run?: string;
  readonly reasons?: readonly { readonly code: string; readonly text: string }[];
}

const AFTER_MS = 500;
const serveArgs = ['--log-level', 'warn', '--explain-after', String(AFTER_MS)];

describe('a run that gets nowhere is explained in the log', () => {
  it('where there is no node', async () => {
    await using cluster = await Cluster.start({ agents: 0, serveArgs });
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('noop');
    await explained(cluster, runId, 'NO_NODES');
  });

  it('where no node has its workload', async () => {
    await using cluster = await Cluster.start({ agents: 1, serveArgs });
    using direct = new Direct(cluster.address);
    const { spec } = planRun('noop', { policy: 'awf', retries: 0 });
    const runId = await direct.client.submit({ ...spec, workload: 'of-another-version' });
    await explained(cluster, runId, 'NO_NODE_OFFERS_WORKLOAD');
  });

  it('where its tasks never end', async () => {
    await using cluster = await Cluster.start({ agents: 1, serveArgs });
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('faulty', { how: 'wait', every: 1, count: 2 });
    await explained(cluster, runId, 'IN_FLIGHT');
  });

  it('once and again, each time after twice as long, until it gets on', async () => {
    await using cluster = await Cluster.start({ agents: 1, serveArgs });
    using direct = new Direct(cluster.address);
    await direct.client.drain('node-1', false);
    const runId = await direct.submit('noop', { count: 10 });
    await eventually(() => linesOn(cluster, runId).length >= 2, 10_000, 'a second line about it');
    await direct.client.resume('node-1');
    assert.equal((await direct.ended(runId)).state, 'succeeded');
    const lines = linesOn(cluster, runId);
    assert.ok(lines.length <= 3, `${lines.length} lines`);
    for (const { reasons } of lines) assert.equal(reasons?.[0]?.code, 'NODES_DRAINING');
  });

  it('but not one that gets on slowly', async () => {
    await using cluster = await Cluster.start({ agents: 1, serveArgs });
    using direct = new Direct(cluster.address);
    const slow = await direct.run('synthetic', { count: 30, cpuMs: 0, ioMs: 60 }, { model: 'serial' });
    assert.ok(slow.wallMs > 3 * AFTER_MS);
    assert.deepEqual(linesOn(cluster, slow.runId), []);
  });
});

describe('REGATTA_NO_PROGRESS_MS', () => {
  it('says how long that takes, to regatta up as well', async () => {
    await using sandbox = new Sandbox();
    const extra = { REGATTA_NO_PROGRESS_MS: String(AFTER_MS), REGATTA_LOG_LEVEL: 'warn' };
    await sandbox.json(['up', '--agents', '1'], extra);
    const waiting = sandbox.start(['run', 'faulty', '--set', 'how=wait', '--set', 'every=1']);
    const log = (): string => sandbox.log('coordinator.log');
    await eventually(() => /has had no task end for \d+ s/.test(log()), 15_000, 'the log to speak of it');
    waiting.child.kill('SIGINT');
    assert.equal((await waiting.ended).code, 130);
    await sandbox.regatta(['down']);
    await sandbox.nothingLeft();
  });
});

async function explained(cluster: Cluster, runId: string, code: string): Promise<void> {
  await eventually(() => linesOn(cluster, runId).length > 0, 10_000, 'the log to speak of it');
  const [{ msg, reasons }] = linesOn(cluster, runId) as [LogLine];
  assert.match(msg, /has had no task end for \d+ s: /);
  assert.ok(
    reasons?.some((reason) => reason.code === code && reason.text !== ''),
    JSON.stringify(reasons),
  );
}

/** What the coordinator logged of a run. A line that is still being written is no line yet. */
const linesOn = (cluster: Cluster, runId: string): LogLine[] =>
  cluster
    .log()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ run }) => run === runId);
