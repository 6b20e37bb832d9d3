/** Three nats-servers that are one NATS, each with a copy of all: any one of them may die. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NatsCluster, startNats, startNatsCluster } from '@regatta/broker/testing';
import { connect } from 'nats';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { Cluster, eventually } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';

const RUNS_MS_MAX = 60_000;
const STREAMS = ['REGATTA_JOURNAL', 'REGATTA_WORK', 'REGATTA_OUTCOMES', 'KV_regatta-leader'];

const start = (nats: NatsCluster): Promise<Cluster> =>
  Cluster.start({ serveArgs: ['--nats', nats.urls, '--nats-replicas', '3'] });

/** @returns how many servers have a copy of a stream, as far as they are up with the others */
async function copiesOf(nats: NatsCluster, stream: string): Promise<number> {
  const nc = await connect({ servers: nats.urls.split(',') });
  try {
    const { cluster } = await (await nc.jetstreamManager()).streams.info(stream);
    return 1 + (cluster?.replicas ?? []).filter(({ current, offline }) => current && offline !== true).length;
  } catch {
    // Nobody leads it just now.
    return 0;
  } finally {
    await nc.close();
  }
}

const progressed = (direct: Direct, runId: string, tasks: number): Promise<void> =>
  eventually(
    async () => ((await direct.client.run(runId).catch(() => undefined))?.succeeded ?? 0) >= tasks,
    RUNS_MS_MAX,
    `${tasks} tasks of ${runId}`,
  );

async function ended(direct: Direct, runId: string): Promise<RunView> {
  let run: RunView | undefined;
  const over = async (): Promise<boolean> => {
    run = await direct.client.run(runId).catch(() => run);
    return run !== undefined && !['waiting', 'running', 'stopping'].includes(run.state);
  };
  await eventually(over, RUNS_MS_MAX, `${runId} to end`);
  return run!;
}

describe('with three nats-servers and a copy of all on each', () => {
  it('runs go on while one server after another is killed and comes back, and nothing is lost', async () => {
    await using nats = await startNatsCluster(3);
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    for (const stream of STREAMS) {
      await eventually(async () => (await copiesOf(nats, stream)) === 3, RUNS_MS_MAX, `three copies of ${stream}`);
    }
    const [waits, sums] = [
      { count: 1_200, ms: 100 },
      { count: 300, samples: 400_000 },
    ];
    const runs = [
      ['io-wait', await direct.submit('io-wait', waits, { model: 'async', concurrency: 4 }), waits],
      ['monte-carlo-pi', await direct.submit('monte-carlo-pi', sums, { policy: 'self', chunk: 1 }), sums],
    ] as const;
    for (const [, runId] of runs) await progressed(direct, runId, 10);
    for (const server of nats.servers) {
      await server.kill();
      const before = (await direct.client.run(runs[0][1])).succeeded;
      // Two of three are enough to go on.
      await progressed(direct, runs[0][1], Math.min(waits.count, before + 20));
      await server.restart();
      for (const stream of STREAMS) {
        await eventually(async () => (await copiesOf(nats, stream)) === 3, RUNS_MS_MAX, `three copies of ${stream}`);
      }
    }
    for (const [workload, runId, inputs] of runs) {
      const run = await ended(direct, runId);
      assert.deepEqual([run.state, run.succeeded], ['succeeded', inputs.count], workload);
      assert.deepEqual(await direct.values(runId), await serialValues(workload, inputs), workload);
    }
  });
});

it('more copies than there are servers are refused, in a line that says so', async () => {
  await using nats = await startNats();
  await using cluster = await Cluster.start({
    serveArgs: ['--nats', nats.url, '--nats-replicas', '3'],
    agents: 0,
  });
  const { code, stderr } = await cluster.regatta(['status', '--coordinator', cluster.address]);
  assert.equal(code, 3);
  assert.match(stderr, /--nats-replicas 3 needs a NATS cluster of as many servers; [\d.:]+ is one server by itself/);
});
