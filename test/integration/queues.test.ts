/** I/O runs through queues in NATS, with real processes: which runs go there, and what becomes of them whatever happens. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { connect } from 'nats';
import type { ModelName } from '../../services/coordinator/src/cli/models.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { Cluster, childrenOf, cpuTicksOf, eventually, isRunning } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';

const start = (nats: NatsServer): Promise<Cluster> => Cluster.start({ serveArgs: ['--nats', nats.url] });
const waits = { count: 300, ms: 100 };

const progressed = (direct: Direct, runId: string, tasks: number): Promise<void> =>
  eventually(async () => (await direct.client.run(runId)).succeeded >= tasks, 20_000, `${tasks} tasks of ${runId}`);

const assertRight = ({ state, succeeded, failed }: RunView, tasks: number): void =>
  assert.deepEqual([state, succeeded, failed], ['succeeded', tasks, 0]);

/** How many messages a stream has. */
async function messagesIn(nats: NatsServer, stream: string): Promise<number> {
  const nc = await connect({ servers: nats.url });
  try {
    return (await (await nc.jetstreamManager()).streams.info(stream)).state.messages;
  } finally {
    await nc.close();
  }
}

describe('with NATS', () => {
  it('I/O goes through a queue and CPU work does not, unless told otherwise', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const transport = async (workload: string, inputs: object, options: object = {}) =>
      (await direct.run(workload, inputs as never, options)).spec.transport;
    assert.equal(await transport('io-wait', { count: 5, ms: 1 }), 'nats');
    assert.equal(await transport('noop', { count: 5 }), 'grpc');
    assert.equal(await transport('io-wait', { count: 5, ms: 1 }, { transport: 'grpc' }), 'grpc');
    assert.equal(await transport('noop', { count: 5 }, { transport: 'nats' }), 'nats');
  });

  it('a run gives what a serial run gives, under every model', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const inputs = { count: 60, ms: 5 };
    const expected = await serialValues('io-wait', inputs);
    for (const model of ['serial', 'async', 'threads', 'processes', 'hybrid'] satisfies ModelName[]) {
      const run = await direct.run('io-wait', inputs, { model });
      assertRight(run, 60);
      assert.deepEqual(await direct.values(run.runId), expected, model);
    }
    // Nothing is left of runs that are over.
    await eventually(async () => (await messagesIn(nats, 'REGATTA_WORK')) === 0, 5_000, 'the queue to be empty');
    await eventually(async () => (await messagesIn(nats, 'REGATTA_OUTCOMES')) === 0, 5_000, 'outcomes to be taken');
  });

  it('inputs go along, and one that no message can hold fails its task alone, saying why', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const run = await direct.run('echo', { count: 200, bytes: 50_000 }, { transport: 'nats' });
    assertRight(run, 200);
    const large = await direct.run('echo', { count: 2, bytes: 9 * 2 ** 20 }, { transport: 'nats' });
    assert.deepEqual([large.state, large.failed], ['failed', 2]);
    for (const { code, message } of large.failures) {
      assert.equal(code, 'QUEUE_ITEM_TOO_LARGE');
      assert.match(message, /task \d+ .* 9\.\d+ MiB.* --transport grpc/);
    }
  });

  it('a task that kills its host process fails alone', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const run = await direct.run('faulty', { how: 'kill' }, { transport: 'nats' });
    assert.deepEqual([run.state, run.failed, run.succeeded + run.failed], ['failed', 1, run.spec.tasks]);
    assert.equal(run.failures[0]!.code, 'HOST_DIED');
  });

  it('a node that is drained hands back what it has not begun, and the others do it', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('io-wait', waits, { concurrency: 8 });
    await progressed(direct, runId, 20);
    await direct.client.drain('node-1', true);
    const drained = async () => (await direct.client.nodes()).find(({ id }) => id === 'node-1')!.state === 'drained';
    await eventually(drained, 5_000, 'it to be drained');
    assertRight(await direct.ended(runId), waits.count);
  });
});

describe('a run through a queue gives what a serial run gives, each task once, though', () => {
  it('the agents are killed with -9, one after another', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const expected = await serialValues('io-wait', waits);
    const runId = await direct.submit('io-wait', waits, { concurrency: 4 });
    for (const [i, tasks] of [20, 60].entries()) {
      await progressed(direct, runId, tasks);
      const { pid, id } = cluster.agents[i]!;
      process.kill(pid, 'SIGKILL');
      await eventually(() => !isRunning(pid), 5_000, 'the agent to die');
      await cluster.addAgent(`${id}-again`);
    }
    assertRight(await direct.ended(runId), waits.count);
    assert.deepEqual(await direct.values(runId), expected);
  });

  it('nats-server is killed with -9 and started anew, and the coordinator as well', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const expected = await serialValues('io-wait', waits);
    const runId = await direct.submit('io-wait', waits, { concurrency: 4 });
    await progressed(direct, runId, 20);
    await nats.kill();
    const codes = async () => (await direct.client.explain(runId)).reasons.map(({ code }) => code);
    await eventually(async () => (await codes()).includes('NATS_AWAY'), 5_000, 'it to say why it waits');
    await nats.restart();
    await progressed(direct, runId, 60);
    await cluster.restartCoordinator();
    const over = async () => (await direct.client.run(runId).catch(() => undefined))?.state === 'succeeded';
    await eventually(over, 60_000, 'it to end');
    assert.deepEqual(await direct.values(runId), expected);
  });

  it('NATS is started last', async () => {
    const port = await (async () => {
      await using nats = await startNats();
      return nats.port;
    })();
    const starting = Cluster.start({ serveArgs: ['--nats', `127.0.0.1:${port}`] });
    await using nats = await startNats({ port });
    await using cluster = await starting;
    using direct = new Direct(cluster.address);
    assertRight(await direct.run('io-wait', { count: 50, ms: 5 }), 50);
    assert.ok(nats.pid > 0);
  });
});

describe('with thousands of tasks in flight in one lane of one thread', () => {
  const many = { count: 6_000, ms: 1_500, distribution: 'uniform' };

  it('waits for all of them, for the first that ends, for any that succeeds, or stops all', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const wide = { concurrency: 3_000, policy: 'self', chunk: 1 } as const;
    const all = await direct.run('io-wait', many, wide);
    assertRight(all, 6_000);
    // One after another they would take two hours, 64 at a time more than a minute.
    assert.ok(all.wallMs < 15_000, `${all.wallMs} ms`);
    for (const until of ['first', 'any'] as const) {
      const run = await direct.run('io-wait', many, { ...wide, until });
      assert.equal(run.state, 'succeeded');
      assert.ok(run.succeeded >= 1 && run.cancelled > 3_000, `${run.succeeded} of them were awaited`);
      assert.ok(run.wallMs < all.wallMs, `${run.wallMs} ms`);
    }
    const runId = await direct.submit('io-wait', many, wide);
    await eventually(async () => (await direct.client.run(runId)).inFlight >= 6_000, 10_000, 'all of them to be out');
    const cancelledAt = performance.now();
    await direct.client.cancel(runId, 'enough');
    assert.equal((await direct.ended(runId)).state, 'cancelled');
    assert.ok(performance.now() - cancelledAt < 2_000, 'it took too long');
    await eventually(async () => (await messagesIn(nats, 'REGATTA_WORK')) === 0, 5_000, 'the queue to be empty');
  });
});

describe('a run through a queue that is cancelled', () => {
  for (const model of ['async', 'threads', 'processes'] satisfies ModelName[]) {
    it(`stops within a second in a tight loop with ${model}, and leaves nothing in the queue`, async () => {
      await using nats = await startNats();
      await using cluster = await start(nats);
      using direct = new Direct(cluster.address);
      const inputs = { count: 10_000, cpuMs: 60_000, ioMs: 0 };
      const runId = await direct.submit('synthetic', inputs, { transport: 'nats', model });
      const hosts = () => cluster.agents.flatMap(({ pid }) => childrenOf(pid));
      const ticks = () => hosts().reduce((sum, pid) => sum + cpuTicksOf(pid), 0);
      const before = ticks();
      await eventually(() => ticks() > before + 60, 20_000, 'tasks to compute');
      const cancelledAt = performance.now();
      await direct.client.cancel(runId, 'enough');
      const run = await direct.ended(runId);
      assert.ok(performance.now() - cancelledAt < 2_000, 'it took too long');
      assert.deepEqual([run.state, run.reason, run.cancelled], ['cancelled', 'enough', 10_000]);
      await eventually(async () => (await messagesIn(nats, 'REGATTA_WORK')) === 0, 5_000, 'the queue to be empty');
      let still = -1;
      const resting = (): boolean => {
        const before = still;
        still = ticks();
        return still === before;
      };
      await eventually(resting, 5_000, 'hosts to come to rest');
    });
  }
});

describe('where something is wrong with NATS', () => {
  it('without one, I/O goes over gRPC, and a queue is refused in one line', async () => {
    await using cluster = await Cluster.start();
    using direct = new Direct(cluster.address);
    assert.equal((await direct.run('io-wait', { count: 5, ms: 1 })).spec.transport, 'grpc');
    const { code, stderr } = await cluster.regatta(['run', 'io-wait', '--transport', 'nats']);
    assert.notEqual(code, 0);
    assert.match(stderr, /^regatta: [^\n]*no NATS[^\n]*--nats[^\n]*\n$/m);
  });

  it('a stream that somebody made otherwise is named in one line, and the coordinator stays up', async () => {
    await using nats = await startNats();
    const nc = await connect({ servers: nats.url });
    await (await nc.jetstreamManager()).streams.add({
      name: 'REGATTA_WORK',
      subjects: ['regatta.work.*'],
      max_msgs: 5,
    });
    await nc.close();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    const line = /^the run was not taken, and can be once this is mended: the NATS stream REGATTA_WORK has [^\n]*$/;
    await assert.rejects(direct.submit('io-wait', { count: 5, ms: 1 }), { message: line });
    assertRight(await direct.run('noop', { count: 100 }), 100);
  });
});
