/** Nodes and coordinators that are told to end by a signal: how soon they do, and what becomes of what they had. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { limits as queueLimits } from '../../services/node-agent/src/fanout/limits.ts';
import { limits } from '../../services/node-agent/src/limits.ts';
import { type Agent, Cluster, type Coordinator, eventually, Sandbox, startCoordinator } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';
import { Network } from './network.ts';

const LOGGED = ['--log-level', 'info'];
const FORCED = /took more than/;
const COORDINATOR_ENDS_MS_MAX = 3_000;
/** With nothing to do. */
const IDLE_ENDS_MS_MAX = 2_000;
/** NATS gives what a node took to another one by itself after some more. */
const HANDED_BACK_MS_MAX = 3_000;
/** Of a task that nobody waits for. */
const LONG_MS = 60_000;
const one = { model: 'async', concurrency: 1, policy: 'self' } as const;
const transports = ['grpc', 'nats'] as const;

/** @returns how it ended, and after how many ms */
async function told(child: ChildProcess, signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
  const ended = once(child, 'exit');
  const begun = performance.now();
  child.kill(signal);
  const [code] = (await ended) as [number | null];
  return { code, tookMs: performance.now() - begun };
}

/** Two nodes with a core each, on NATS, so that runs of both transports can be. */
async function start(nats: NatsServer, agentArgs: readonly string[] = []): Promise<Cluster> {
  return Cluster.start({ cores: 1, agentArgs, serveArgs: ['--nats', nats.url, ...LOGGED] });
}

const tasksOn = async (direct: Direct, runId: string, id: string): Promise<number> =>
  (await direct.client.run(runId)).accounting.nodes.find(({ node }) => node === id)?.tasks ?? 0;

const worksFor = (direct: Direct, runId: string, id: string, tasks: number): Promise<void> =>
  eventually(async () => (await tasksOn(direct, runId, id)) >= tasks, 15_000, `${tasks} tasks of ${runId} on ${id}`);

/** @returns one that works. What is in a queue one of them may have all of */
async function busyOne(direct: Direct, { agents }: Cluster): Promise<Agent> {
  let busy: string | undefined;
  const isBusy = async (): Promise<boolean> => {
    busy = (await direct.client.nodes()).find(({ busyLanes }) => busyLanes > 0)?.id;
    return busy !== undefined;
  };
  await eventually(isBusy, 15_000, 'a node to be busy');
  return agents.find(({ id }) => id === busy)!;
}

describe('a node that is told to end', () => {
  for (const nats of [false, true]) {
    it(`and has nothing to do is gone at once, and nobody's loss, ${nats ? 'with' : 'without'} NATS`, async () => {
      await using server = nats ? await startNats() : undefined;
      await using cluster = await Cluster.start({ serveArgs: [...LOGGED, ...(server ? ['--nats', server.url] : [])] });
      using direct = new Direct(cluster.address);
      const [leaver, other] = cluster.agents as [Agent, Agent];
      const { code, tookMs } = await told(leaver.child, 'SIGTERM');
      assert.equal(code, 0);
      assert.ok(tookMs < IDLE_ENDS_MS_MAX, `it took ${tookMs} ms`);
      assert.deepEqual(
        (await direct.client.nodes()).map(({ id }) => id),
        [other.id],
      );
      assert.match(cluster.log(), /"node left"/);
      assert.doesNotMatch(cluster.log(), /node lost/);
    });
  }

  for (const transport of transports) {
    it(`finishes what it has begun: none of it is done twice, over ${transport}`, async () => {
      await using nats = await startNats();
      await using cluster = await start(nats);
      using direct = new Direct(cluster.address);
      const inputs = { count: 60, cpuMs: 0, ioMs: 150, bytes: 8 };
      const runId = await direct.submit('synthetic', inputs, { ...one, chunk: 2, transport });
      const { id, child } = await busyOne(direct, cluster);
      await worksFor(direct, runId, id, 3);
      const { code, tookMs } = await told(child, 'SIGTERM');
      assert.equal(code, 0);
      assert.ok(tookMs < IDLE_ENDS_MS_MAX + 2 * inputs.ioMs, `it took ${tookMs} ms`);
      const run = await direct.ended(runId);
      assert.deepEqual([run.state, run.succeeded], ['succeeded', 60]);
      assert.deepEqual([run.accounting.lostAttempts, run.accounting.fenced], [0, 0]);
      assert.equal((await tasksOn(direct, runId, id)) % 2, 0, 'a chunk was not finished');
      assert.deepEqual(await direct.values(runId), await serialValues('synthetic', { ...inputs, ioMs: 0 }));
    });

    it(`hands back what is not finished in its time, but for the tasks that are done, over ${transport}`, async () => {
      await using nats = await startNats();
      await using cluster = await start(nats, ['--drain', '0.5']);
      using direct = new Direct(cluster.address);
      const inputs = { count: 40, cpuMs: 0, ioMs: 200, bytes: 8 };
      // Chunks of 4 s.
      const runId = await direct.submit('synthetic', inputs, { ...one, chunk: 20, transport });
      const { id, child } = await busyOne(direct, cluster);
      await sleep(500);
      const { code, tookMs } = await told(child, 'SIGTERM');
      assert.equal(code, 0);
      assert.ok(tookMs >= 450 && tookMs < 500 + IDLE_ENDS_MS_MAX, `it took ${tookMs} ms`);
      const run = await direct.ended(runId);
      assert.deepEqual([run.state, run.succeeded], ['succeeded', 40]);
      assert.deepEqual([run.accounting.lostAttempts, run.accounting.fenced], [0, 0]);
      const kept = await tasksOn(direct, runId, id);
      assert.ok(kept > 0 && kept < 20, `${kept} of its 20 tasks were kept`);
      assert.deepEqual(await direct.values(runId), await serialValues('synthetic', { ...inputs, ioMs: 0 }));
    });

    it(`by SIGINT hands all back at once, over ${transport}`, async () => {
      await using nats = await startNats();
      await using cluster = await start(nats);
      using direct = new Direct(cluster.address);
      const runId = await direct.submit(
        'synthetic',
        { count: 2, cpuMs: 0, ioMs: LONG_MS },
        { ...one, chunk: 1, transport },
      );
      const { id, child } = await busyOne(direct, cluster);
      const { code, tookMs } = await told(child, 'SIGINT');
      assert.equal(code, 0);
      assert.ok(tookMs < IDLE_ENDS_MS_MAX, `it took ${tookMs} ms`);
      const otherWorks = async (): Promise<boolean> =>
        (await direct.client.nodes()).some((node) => node.id !== id && node.busyLanes > 0);
      await eventually(otherWorks, HANDED_BACK_MS_MAX, 'the other to have some of it');
      await direct.client.cancel(runId, 'the test is over');
      const run = await direct.ended(runId);
      assert.deepEqual([run.state, run.accounting.lostAttempts], ['cancelled', 0]);
    });
  }

  it('hands back over NATS as often as it likes: no chunk ends for having been let go of', async () => {
    await using nats = await startNats();
    await using cluster = await Cluster.start({ agents: 1, cores: 1, serveArgs: ['--nats', nats.url, ...LOGGED] });
    using direct = new Direct(cluster.address);
    const transport = 'nats';
    const runId = await direct.submit(
      'synthetic',
      { count: 2, cpuMs: 0, ioMs: LONG_MS },
      { ...one, chunk: 1, transport },
    );
    for (let times = 1; times <= queueLimits.deliveriesMax + 2; times++) {
      const { id, child } = await busyOne(direct, cluster);
      const next = cluster.addAgent(`next-${times}`, { cores: 1 });
      await told(child, 'SIGINT');
      await next;
      const works = async (): Promise<boolean> =>
        (await direct.client.nodes()).some((node) => node.id !== id && node.busyLanes > 0);
      await eventually(works, HANDED_BACK_MS_MAX, `the next to have it after ${times} hand-backs`);
    }
    await direct.client.cancel(runId, 'the test is over');
    const { failed, accounting } = await direct.ended(runId);
    assert.deepEqual([failed, accounting.lostAttempts], [0, 0]);
  });

  it('shows as draining and cannot be resumed; told again, it ends at once', async () => {
    await using cluster = await Cluster.start({ cores: 1, serveArgs: LOGGED });
    using direct = new Direct(cluster.address);
    const runId = await direct.submit('synthetic', { count: 2, cpuMs: 0, ioMs: LONG_MS }, { ...one, chunk: 1 });
    const { id, child } = await busyOne(direct, cluster);
    child.kill('SIGTERM');
    const state = async () => (await direct.client.nodes()).find((node) => node.id === id)?.state;
    await eventually(async () => (await state()) === 'draining', 5_000, 'it to drain');
    const { code, stderr } = await cluster.regatta(['nodes', 'resume', id]);
    assert.deepEqual([code, stderr.split('\n').length], [2, 2], stderr);
    assert.match(stderr, /^regatta: node node-\d was told to end, and gets no more work: start it anew/);
    // Sooner it would count as the same word again.
    await sleep(limits.signalEchoMs);
    const { tookMs } = await told(child, 'SIGTERM');
    assert.ok(tookMs < 1_000, `it took ${tookMs} ms`);
    await direct.client.cancel(runId, 'the test is over');
  });

  for (const afterMs of [0, 3_000, 8_000]) {
    it(`and has nothing to do is gone at once though all coordinators have stood still for ${afterMs} ms`, async () => {
      await using nats = await startNats();
      await using cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url] });
      const second = await startCoordinator(cluster.sandbox, ['--nats', nats.url]);
      const { child } = await cluster.addAgent('idle', { cores: 1, dials: `${cluster.address},${second.address}` });
      const coordinators = [cluster.coordinator, second.child];
      for (const coordinator of coordinators) coordinator.kill('SIGSTOP');
      try {
        await sleep(afterMs);
        const { code, tookMs } = await told(child, 'SIGTERM');
        assert.equal(code, 0);
        // A moment for one to hear of it, and one for it to hear the goodbye.
        assert.ok(tookMs < 2 * limits.goodbyeMsMax + 1_000, `it took ${tookMs} ms`);
      } finally {
        for (const coordinator of coordinators) coordinator.kill('SIGCONT');
        second.child.kill('SIGTERM');
      }
    });
  }

  it('while its coordinator is away waits for the time that is left, and no longer', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats, ['--drain', '2']);
    using direct = new Direct(cluster.address);
    await direct.submit('synthetic', { count: 2, cpuMs: 0, ioMs: LONG_MS }, { ...one, chunk: 1 });
    const { child } = await busyOne(direct, cluster);
    const gone = once(cluster.coordinator, 'exit');
    cluster.coordinator.kill('SIGKILL');
    await gone;
    const { code, tookMs } = await told(child, 'SIGTERM');
    assert.equal(code, 0);
    // Its time, that to hand back, and that for a coordinator to be there to hear of it.
    assert.ok(tookMs > 1_900 && tookMs < 2_000 + 2_000 + 1_000 + 1_500, `it took ${tookMs} ms`);
  });
});

async function assertEndsInGoodOrder({ child, log }: Coordinator): Promise<void> {
  const { code, tookMs } = await told(child, 'SIGTERM');
  assert.ok(tookMs < COORDINATOR_ENDS_MS_MAX, `it took ${tookMs} ms: ${log()}`);
  assert.equal(code, 0);
  assert.doesNotMatch(log(), FORCED);
}

const leads = ({ log }: Coordinator): Promise<void> =>
  eventually(() => /this coordinator leads,/.test(log()), 10_000, 'it to lead');

describe('a coordinator that is told to end while NATS stands still', () => {
  // Before, and after, that shows.
  for (const ms of [0, 2_500, 6_000]) {
    it(`since ${ms} ms does so in good order`, async () => {
      await using nats = await startNats();
      await using sandbox = new Sandbox();
      const coordinator = await startCoordinator(sandbox, ['--nats', nats.url, ...LOGGED]);
      await leads(coordinator);
      nats.pause();
      await sleep(ms);
      await assertEndsInGoodOrder(coordinator);
    });
  }

  it('and a run waits for it does so in good order, and its successor goes on with the run', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    const { address } = cluster;
    const inputs = { count: 60, cpuMs: 0, ioMs: 100, bytes: 8 };
    const runIds: string[] = [];
    {
      using direct = new Direct(address);
      for (const transport of transports)
        runIds.push(await direct.submit('synthetic', inputs, { ...one, chunk: 1, transport }));
      for (const runId of runIds)
        await eventually(async () => (await direct.client.run(runId)).succeeded >= 5, 15_000, `tasks of ${runId}`);
    }
    nats.pause();
    await sleep(1_000);
    await assertEndsInGoodOrder({ child: cluster.coordinator, address, log: cluster.log });
    nats.resume();
    const next = await startCoordinator(cluster.sandbox, ['--listen', address, '--nats', nats.url]);
    using direct = new Direct(address);
    for (const runId of runIds) {
      const run = await direct.ended(runId);
      assert.deepEqual([run.state, run.succeeded, run.accounting.lostAttempts], ['succeeded', 60, 0]);
      assert.deepEqual(await direct.values(runId), await serialValues('synthetic', { ...inputs, ioMs: 0 }));
    }
    next.child.kill('SIGTERM');
  });

  it('and it stands by does so in good order', async () => {
    await using nats = await startNats();
    await using sandbox = new Sandbox();
    await leads(await startCoordinator(sandbox, ['--nats', nats.url, ...LOGGED]));
    const second = await startCoordinator(sandbox, ['--nats', nats.url, ...LOGGED]);
    nats.pause();
    await sleep(1_500);
    await assertEndsInGoodOrder(second);
  });

  it('and it has never reached it does so in good order', async () => {
    await using nats = await startNats();
    await using sandbox = new Sandbox();
    nats.pause();
    await assertEndsInGoodOrder(await startCoordinator(sandbox, ['--nats', nats.url, ...LOGGED]));
  });

  // The lease is its own by then.
  for (const [what, subject] of [
    ['looking for the end of the journal', '$JS.API.STREAM.INFO.REGATTA_JOURNAL'],
    ['beginning its term', 'regatta.journal.term'],
    ['reading the journal', '$JS.API.CONSUMER.CREATE.REGATTA_JOURNAL'],
  ] as const) {
    it(`in the midst of a take-over, ${what}, does so in good order`, async () => {
      await using nats = await startNats();
      await using network = await Network.start(nats.url.replace('nats://', ''));
      await using sandbox = new Sandbox();
      const first = await startCoordinator(sandbox, ['--nats', nats.url, ...LOGGED]);
      await leads(first);
      const second = await startCoordinator(sandbox, ['--nats', network.address, ...LOGGED]);
      network.fallSilentAfter(subject);
      await assertEndsInGoodOrder(first);
      await eventually(() => network.isSilent, 10_000, 'it to take over');
      await sleep(500);
      await assertEndsInGoodOrder(second);
      assert.doesNotMatch(second.log(), /this coordinator leads,/);
    });
  }
});

describe('a coordinator that is told to end', () => {
  it('hands over at once: its successor leads before the lease is over, and no attempt is lost', async () => {
    await using nats = await startNats();
    await using cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url, ...LOGGED] });
    await eventually(() => /this coordinator leads,/.test(cluster.log()), 10_000, 'the first to lead');
    const second = await startCoordinator(cluster.sandbox, ['--nats', nats.url, ...LOGGED]);
    const both = [cluster.address, second.address];
    for (const id of ['a', 'b']) await cluster.addAgent(id, { cores: 1, dials: both.join() });
    using direct = new Direct(both);
    const inputs = { count: 100, cpuMs: 0, ioMs: 80, bytes: 8 };
    const runId = await direct.submit('synthetic', inputs, { ...one, chunk: 1 });
    await worksFor(direct, runId, 'a', 5);
    const begun = performance.now();
    await assertEndsInGoodOrder({ child: cluster.coordinator, address: cluster.address, log: cluster.log });
    await leads(second);
    const tookMs = performance.now() - begun;
    assert.ok(tookMs < 2_500, `the successor leads after ${tookMs} ms`);
    const run = await direct.ended(runId);
    assert.deepEqual([run.state, run.succeeded, run.accounting.lostAttempts], ['succeeded', 100, 0]);
    assert.deepEqual(await direct.values(runId), await serialValues('synthetic', { ...inputs, ioMs: 0 }));
    second.child.kill('SIGTERM');
  });

  it('while a node stands still does so in good order', async () => {
    await using nats = await startNats();
    await using cluster = await start(nats);
    using direct = new Direct(cluster.address);
    await direct.submit('synthetic', { count: 200, cpuMs: 0, ioMs: 100 }, { ...one, chunk: 1 });
    const { pid } = await busyOne(direct, cluster);
    process.kill(pid, 'SIGSTOP');
    try {
      await assertEndsInGoodOrder({ child: cluster.coordinator, address: cluster.address, log: cluster.log });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});
