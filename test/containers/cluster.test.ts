/** Real containers, real networks between them: what a cluster on several hosts lives through. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { eventually } from '../integration/cluster.ts';
import { serialValues } from '../integration/direct.ts';
import { BUILD_MS_MAX, whyNoDocker } from './engine.ts';
import { World } from './world.ts';

const CPU = { workload: 'monte-carlo-pi', inputs: { count: 300, samples: 200_000 } } as const;
const IO = { workload: 'io-wait', inputs: { count: 300, ms: 100 } } as const;
const AGENTS = ['one', 'two', 'half'] as const;

let world: World;
let expected: { readonly cpu: Map<number, unknown>; readonly io: Map<number, unknown> };

interface Pair {
  readonly cpu: RunView;
  readonly io: RunView;
}

/** A run of each kind, and `blow` once both have got somewhere. Asserts that both end with each result, right and once. */
async function through(blow: () => Promise<void>): Promise<Pair> {
  const { direct } = world;
  const [cpu, io] = await Promise.all([
    direct.submit(CPU.workload, CPU.inputs, { model: 'processes' }),
    direct.submit(IO.workload, IO.inputs, { model: 'async', concurrency: 4 }),
  ]);
  const begun = async (runId: string): Promise<boolean> => (await direct.client.run(runId)).succeeded >= 20;
  await eventually(async () => (await begun(cpu)) && (await begun(io)), 20_000, 'both runs to have begun');
  await blow();
  const ended = { cpu: await direct.ended(cpu), io: await direct.ended(io) };
  for (const [kind, run] of Object.entries(ended)) {
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 300], `${kind}: ${JSON.stringify(run.failures)}`);
  }
  assert.deepEqual(await direct.values(cpu), expected.cpu);
  assert.deepEqual(await direct.values(io), expected.io);
  assert.deepEqual([ended.cpu.spec.transport, ended.io.spec.transport], ['grpc', 'nats']);
  return ended;
}

/** What the coordinator has counted: reports of a node that is fenced, by how it was given the work, and how tasks ended. */
async function counted() {
  const [pushed, pulled, succeeded, unaccounted] = await Promise.all([
    world.metric(/^regatta_results_ignored_total\{.*transport="grpc",reason="(fenced-attempt|stale-node)"\}/),
    world.metric(/^regatta_results_ignored_total\{.*transport="nats",reason="(fenced-attempt|stale-node)"\}/),
    world.metric(/^regatta_tasks_total\{.*outcome="succeeded"\}/),
    world.metric(/^regatta_tasks_unaccounted /),
  ]);
  return { pushed, pulled, succeeded, unaccounted };
}

/** One for each time that it joined. */
const incarnations = async (node: string): Promise<string[]> =>
  (await world.log(node)).split('\n').flatMap((line) => /"incarnation":(\d+).* joined /.exec(line)?.[1] ?? []);

describe('a cluster of containers, each node on a network of its own', { skip: whyNoDocker }, () => {
  before(
    async () => {
      world = await World.start([
        { id: 'one', cpu: 1 },
        { id: 'two', cpu: 1 },
        { id: 'half', cpu: 0.5 },
      ]);
      expected = { cpu: await serialValues(CPU.workload, CPU.inputs), io: await serialValues(IO.workload, IO.inputs) };
    },
    { timeout: 2 * BUILD_MS_MAX },
  );
  after(() => world?.stop());

  it('works on runs of both kinds, on all nodes', async () => {
    const { cpu, io } = await through(async () => {});
    for (const run of [cpu, io]) {
      const busy = run.accounting.nodes.filter(({ tasks }) => tasks > 0).map(({ node }) => node);
      assert.deepEqual(busy.sort(), [...AGENTS].sort());
      assert.equal(run.accounting.lostAttempts, 0);
    }
  });

  it('knows what CPU quota each node has, and when it was held back by it', async () => {
    const nodes = new Map((await world.nodes()).map((node) => [node.id, node]));
    assert.deepEqual(
      [nodes.get('half')!.quota, nodes.get('half')!.quotaLimited, nodes.get('half')!.cores],
      [0.5, true, 1],
    );
    assert.deepEqual([nodes.get('one')!.quota, nodes.get('one')!.cores], [1, 1]);
    // Half a core was given work for a whole one.
    assert.ok(nodes.get('half')!.throttledMs > 0);
    // Nodes of one machine whose cores are told apart by quota are machines of their own.
    assert.equal(new Set([...nodes.values()].map(({ machine }) => machine)).size, 3);
  });

  it('lets nobody in whose token is wrong, and says so', async () => {
    const before = (await world.direct.client.status()).refusedWrong;
    await world.startAgent(
      { id: 'stranger', beside: 'half', cpu: 0.5 },
      { REGATTA_TOKEN_FILE: '', REGATTA_TOKEN: 'not-the-right-one' },
    );
    try {
      const refused = async (): Promise<boolean> => (await world.direct.client.status()).refusedWrong > before;
      await eventually(refused, 15_000, 'a stranger to be refused');
      await eventually(async () => /token/.test(await world.log('stranger')), 5_000, 'the stranger to say why');
      assert.equal(await world.stateOf('stranger'), 'unknown');
      assert.doesNotMatch((await world.log('stranger')) + (await world.log('coordinator')), /not-the-right-one/);
    } finally {
      await world.discard('stranger');
    }
  });

  it('loses nothing with a node that is killed', async () => {
    const { cpu } = await through(() => world.kill('one'));
    assert.ok(cpu.accounting.lostAttempts > 0);
    await world.startAgain('one');
    await world.mend();
  });

  it('loses nothing with a node that is cut off, and what that tells too late is ignored, and counted', async () => {
    const before = await counted();
    const joined = await incarnations('two');
    const { cpu, io } = await through(async () => {
      await world.cutOff('two');
      await eventually(async () => (await world.stateOf('two')) !== 'alive', 30_000, 'it to be missed');
    });
    assert.ok(cpu.accounting.lostAttempts > 0, 'it held no chunk of the CPU run');
    await world.heal('two');
    await world.mend();
    // It is another one now, which was never given what it held: that it may tell, or drop.
    assert.equal(new Set(await incarnations('two')).size, joined.length + 1);
    const fenced = async ({ runId }: RunView): Promise<number> =>
      (await world.direct.client.run(runId)).accounting.fenced;
    // What it had taken from NATS it did meanwhile, as others did: it tells NATS, whose messages outlive connections.
    await eventually(async () => (await fenced(io)) > 0, 20_000, 'its late results to come');
    const agree = async (): Promise<boolean> => {
      const { pushed, pulled } = await counted();
      return (await fenced(cpu)) === pushed - before.pushed && (await fenced(io)) === pulled - before.pulled;
    };
    await eventually(agree, 10_000, 'the books of both runs and the metrics to agree on what came late');
    const { succeeded, unaccounted } = await counted();
    assert.deepEqual([succeeded - before.succeeded, unaccounted], [600, 0]);
    assert.deepEqual(await world.direct.values(cpu.runId), expected.cpu);
    assert.deepEqual(await world.direct.values(io.runId), expected.io);
  });

  it('gives a node that was cut off work again', async () => {
    const { cpu } = await through(async () => {});
    assert.ok(cpu.accounting.nodes.some(({ node, tasks }) => node === 'two' && tasks > 0));
  });

  it('goes on with a coordinator that was killed and started again', async () => {
    await through(async () => {
      await world.kill('coordinator');
      await world.startAgain('coordinator');
    });
    await world.mend();
  });

  it('goes on once NATS is restarted, and what it acknowledged is still there', async () => {
    const { cpu, io } = await through(async () => {
      await world.end('nats');
      await world.startAgain('nats');
    });
    assert.deepEqual([cpu.accounting.lostAttempts, io.accounting.lostAttempts], [0, 0]);
    await world.mend();
  });

  it('loses nothing when each of its containers is restarted in turn, and no node is missed', async () => {
    const took = new Map<string, { ms: number; code: number }>();
    const { cpu } = await through(async () => {
      for (const name of [...AGENTS, 'coordinator', 'nats']) {
        took.set(name, await world.end(name));
        await world.startAgain(name);
        if (name !== 'nats' && name !== 'coordinator') await world.mend();
      }
    });
    // Told to end, a node finishes or hands back what it has: nothing is taken for lost.
    assert.equal(cpu.accounting.lostAttempts, 0);
    for (const [name, { ms, code }] of took) {
      assert.ok(ms < 25_000, `${name} took ${ms} ms to end`);
      // nats-server ends with 1 or 0, whichever of its two ways out is the faster; killed it would be 137.
      assert.ok(code === 0 || (name === 'nats' && code === 1), `${name} ended with ${code}`);
    }
    await world.mend();
  });
});
