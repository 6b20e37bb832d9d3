/**
 * A coordinator with a journal dies, or is taken for dead, while runs go on: who comes after it goes on where it was. The
 * fail-over from one to another that stands by, as the CLI sees it, is in follow-leader.test.ts.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { findWorkload } from '@regatta/workloads';
import { describeCoordinator } from '../../services/coordinator/src/cli/client.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { Cluster, eventually } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';

const BACK_MS_MAX = 20_000;

const start = (nats: NatsServer): Promise<Cluster> => Cluster.start({ serveArgs: ['--nats', nats.url] });

/** What the run is like now, as soon as anybody tells. */
async function look(direct: Direct, runId: string): Promise<RunView | undefined> {
  return direct.client.run(runId).catch(() => undefined);
}

async function ended(direct: Direct, runId: string, withinMs = 60_000): Promise<RunView> {
  let last: RunView | undefined;
  const over = async (): Promise<boolean> => {
    last = (await look(direct, runId)) ?? last;
    return last !== undefined && !['waiting', 'running', 'stopping'].includes(last.state);
  };
  await eventually(over, withinMs, `${runId} to end`);
  return last!;
}

const progressed = (direct: Direct, runId: string, tasks: number): Promise<void> =>
  eventually(
    async () => ((await look(direct, runId))?.succeeded ?? 0) >= tasks,
    BACK_MS_MAX,
    `${tasks} tasks of ${runId}`,
  );

describe('while CPU work goes on, a coordinator that is killed and started anew', () => {
  it('goes on where it was: no chunk that was committed is worked on again', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const inputs = { count: 400, samples: 400_000 };
    const expected = await serialValues('monte-carlo-pi', inputs);
    const runId = await direct.submit('monte-carlo-pi', inputs, { policy: 'self', chunk: 1 });
    await progressed(direct, runId, 50);
    await cluster.restartCoordinator();
    const run = await ended(direct, runId);
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 400]);
    // Its nodes came back with what they held: each chunk was worked on once.
    assert.deepEqual([run.accounting.chunks, run.accounting.lostAttempts], [400, 0]);
    assert.deepEqual(await direct.values(runId), expected);
  });

  it('still has the inputs that tasks were sent, and the results of before', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('echo', { count: 400, bytes: 100_000 }, { policy: 'self', chunk: 1 });
    await progressed(direct, runId, 20);
    await cluster.restartCoordinator();
    const run = await ended(direct, runId);
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 400]);
    const values = await direct.values(runId);
    assert.equal(values.size, 400);
    const echo = findWorkload('echo')!;
    const results = [...values].map(([task, value]) => ({ task, value }));
    assert.deepEqual(echo.combine(results, { count: 400, bytes: 100_000 }), {
      tasks: 400,
      bytes: 40_000_000,
      intact: 400,
    });
  });

  it('twice in a row, with a task that kills its host and one that fails, ends as it would have', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const slow = await direct.submit('monte-carlo-pi', { count: 300, samples: 400_000 }, { policy: 'self', chunk: 2 });
    const poisoned = await direct.submit('faulty', { how: 'kill' }, {});
    await progressed(direct, slow, 20);
    await cluster.restartCoordinator();
    await progressed(direct, slow, 60);
    await cluster.restartCoordinator();
    const [run, faulty] = [await ended(direct, slow), await ended(direct, poisoned)];
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 300]);
    assert.deepEqual([faulty.state, faulty.failed], ['failed', 1]);
  });
});

describe('a coordinator that was killed and is started again at its address', () => {
  it('says that it waits for the lease of the one before it, and not that it stands by for itself', async () => {
    await using nats = await startNats();
    await using cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url, '--log-level', 'info'] });
    await eventually(() => /this coordinator leads,/.test(cluster.log()), BACK_MS_MAX, 'it to lead');
    await cluster.restartCoordinator();
    const { role, leaders, complaint } = await describeCoordinator(cluster.address, undefined, 5_000);
    assert.deepEqual([role, leaders], ['idle', []]);
    assert.match(
      complaint,
      /^no coordinator leads yet: the lease is still of the process that was at this address before/,
    );
    await eventually(() => /this coordinator leads, 0 runs go on/.test(cluster.log()), BACK_MS_MAX, 'it to lead again');
    assert.match(cluster.log(), /"msg":"the lease is still of the process that was at this address before/);
    assert.doesNotMatch(cluster.log(), /stands by/);
  });
});

describe('runs that have ended', () => {
  it('are known to the next coordinator, with their results and their failures', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const good = await direct.run('number-cruncher', { count: 50 });
    const bad = await direct.run('faulty', { how: 'throw' });
    const values = await direct.values(good.runId);
    await cluster.restartCoordinator();
    await eventually(async () => (await look(direct, good.runId)) !== undefined, BACK_MS_MAX, 'it to lead');
    const [goodThen, badThen] = [await direct.client.run(good.runId), await direct.client.run(bad.runId)];
    assert.deepEqual({ ...goodThen, accounting: 0 }, { ...good, accounting: 0 });
    assert.deepEqual(badThen.failures, bad.failures);
    assert.deepEqual(
      (await direct.client.runs(10)).map(({ runId }) => runId),
      [bad.runId, good.runId],
    );
    assert.deepEqual(await direct.values(good.runId), values);
    assert.deepEqual(goodThen.accounting.nodes.length, good.accounting.nodes.length);
  });
});

describe('a coordinator that was paused for longer than its lease', () => {
  it('finds itself fenced by the one that took over, and stands by', async () => {
    await using nats = await startNats();
    await using first = await Cluster.start({ serveArgs: ['--nats', nats.url, '--log-level', 'info'] });
    await using second = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url, '--log-level', 'info'] });
    for (const id of ['a', 'b']) await first.addAgent(id, { dials: `${first.address},${second.address}` });
    using direct = new Direct(first.address);
    using other = new Direct(second.address);
    const inputs = { count: 300, samples: 1_000_000 };
    const expected = await serialValues('monte-carlo-pi', inputs);
    const runId = await direct.submit('monte-carlo-pi', inputs, { policy: 'self', chunk: 1 });
    await progressed(direct, runId, 20);
    first.coordinator.kill('SIGSTOP');
    await eventually(async () => (await look(other, runId)) !== undefined, BACK_MS_MAX, 'the second to lead');
    first.coordinator.kill('SIGCONT');
    await eventually(() => /this coordinator leads no more/.test(first.log()), 10_000, 'the first to notice');
    const run = await ended(other, runId);
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 300]);
    assert.deepEqual(await other.values(runId), expected);
  });
});

describe('while NATS is away', () => {
  it('a run waits and says why, what nodes have done is not lost, and it goes on when NATS is back', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const inputs = { count: 300, samples: 400_000 };
    const expected = await serialValues('monte-carlo-pi', inputs);
    const runId = await direct.submit('monte-carlo-pi', inputs, { policy: 'self', chunk: 1 });
    await progressed(direct, runId, 20);
    await nats.kill();
    const reasons = async () => (await direct.client.explain(runId)).reasons.map(({ code }) => code);
    await eventually(async () => (await reasons()).includes('NATS_AWAY'), 5_000, 'it to say so');
    await sleep(6_000);
    const before = (await direct.client.run(runId)).state;
    assert.equal(before, 'running');
    await nats.restart();
    const run = await ended(direct, runId);
    assert.deepEqual([run.state, run.succeeded, run.accounting.lostAttempts], ['succeeded', 300, 0]);
    assert.deepEqual(await direct.values(runId), expected);
  });
});
