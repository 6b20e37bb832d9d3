/**
 * Every service of a cluster is restarted while runs go on, one after another, by SIGTERM, as a new version is rolled out:
 * nothing is lost, nothing is done for a node's sake, and nobody waits for a lease.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { Cluster, type Coordinator, eventually, startCoordinator } from './cluster.ts';
import { Direct, serialValues } from './direct.ts';

const AGENTS = ['a', 'b', 'c'] as const;
/** CPU work for two cores and I/O that waits: on a quiet machine each takes longer than the restarts. */
const CPU = { count: 2_400, cpuMs: 12, bytes: 8 };
const IO = { count: 6_000, cpuMs: 0, ioMs: 40, bytes: 8 };
const ENDS_MS_MAX = 120_000;
/** It finishes chunks of a few tasks. */
const AGENT_ENDS_MS_MAX = 3_000;
const COORDINATOR_ENDS_MS_MAX = 3_000;
/** Of a leader that says nothing any more. */
const LEASE_MS = 3_000;
const LEADS = /"this coordinator leads, /g;

describe('while a CPU run over gRPC and an I/O run over NATS go on', () => {
  let nats: NatsServer;
  let cluster: Cluster;
  let direct: Direct;
  let coordinators: Coordinator[];
  let addresses: string[];
  let runIds: string[];
  /** Of all coordinators that there were. */
  const logs: (() => string)[] = [];

  before(async () => {
    nats = await startNats();
    cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url, '--log-level', 'info'] });
    const first = { child: cluster.coordinator, address: cluster.address, log: cluster.log };
    await eventually(() => terms([first.log]) === 1, 10_000, 'the first to lead');
    coordinators = [first, await serve('127.0.0.1:0')];
    logs.push(first.log, coordinators[1]!.log);
    addresses = coordinators.map(({ address }) => address);
    await Promise.all(AGENTS.map((id) => cluster.addAgent(id, { cores: 1, dials: addresses.join() })));
    direct = new Direct(addresses);
    runIds = [
      await direct.submit('synthetic', CPU, { model: 'processes', policy: 'self', chunk: 4, transport: 'grpc' }),
      await direct.submit('synthetic', IO, { model: 'async', concurrency: 4, chunk: 4, transport: 'nats' }),
    ];
    for (const runId of runIds) await progress(runId);
  });

  after(async () => {
    direct?.close();
    for (const { child } of coordinators ?? []) child.kill('SIGTERM');
    await cluster?.stop();
    await nats?.[Symbol.asyncDispose]();
  });

  const serve = (listen: string): Promise<Coordinator> =>
    startCoordinator(cluster.sandbox, ['--listen', listen, '--nats', nats.url, '--log-level', 'info']);

  const run = (runId: string): Promise<RunView | undefined> => direct.client.run(runId).catch(() => undefined);

  const terms = (of: readonly (() => string)[]): number =>
    of.reduce((sum, log) => sum + (log().match(LEADS)?.length ?? 0), 0);

  /** Waits until more of it is done. */
  async function progress(runId: string): Promise<void> {
    const before = (await run(runId))?.succeeded ?? 0;
    const more = async (): Promise<boolean> => ((await run(runId))?.succeeded ?? 0) > before;
    await eventually(more, 20_000, `${runId} to go on`);
  }

  async function ended(child: ChildProcess): Promise<{ code: number | null; tookMs: number }> {
    const exit = once(child, 'exit');
    const begun = performance.now();
    child.kill('SIGTERM');
    const [code] = (await exit) as [number | null];
    return { code, tookMs: performance.now() - begun };
  }

  for (const id of AGENTS) {
    it(`node ${id} ends within its time, with nothing lost, and comes back`, async () => {
      const { child } = cluster.agents.find((agent) => agent.id === id && agent.child.exitCode === null)!;
      const { code, tookMs } = await ended(child);
      assert.equal(code, 0);
      assert.ok(tookMs < AGENT_ENDS_MS_MAX, `it took ${tookMs} ms`);
      const listed = await direct.client.nodes();
      assert.ok(!listed.some((node) => node.id === id), 'it is still listed');
      await cluster.addAgent(id, { cores: 1, dials: addresses.join() });
      for (const runId of runIds) await progress(runId);
    });
  }

  it('each coordinator ends within its time; the other leads before the lease is over', async () => {
    for (const [i, { child, address, log }] of coordinators.entries()) {
      const before = terms(logs);
      const begun = performance.now();
      const { code, tookMs } = await ended(child);
      assert.equal(code, 0);
      assert.ok(tookMs < COORDINATOR_ENDS_MS_MAX, `it took ${tookMs} ms`);
      assert.doesNotMatch(log(), /took more than/);
      await eventually(() => terms(logs) > before, 10_000, 'the other to lead');
      const ledAfterMs = performance.now() - begun;
      assert.ok(ledAfterMs < LEASE_MS, `the other led after ${ledAfterMs} ms`);
      const next = await serve(address);
      coordinators[i] = next;
      logs.push(next.log);
      for (const runId of runIds) await progress(runId);
    }
  });

  it('nats-server is away for a moment, and they go on', async () => {
    await nats.stop();
    await sleep(500);
    await nats.restart();
    for (const runId of runIds) await progress(runId);
  });

  it('an agent that has nothing to do ends within 2 s meanwhile', async () => {
    const idle = await cluster.addAgent('idle', { cores: 1, dials: addresses.join() });
    await direct.client.drain('idle', true);
    const isDrained = async (): Promise<boolean> =>
      (await direct.client.nodes()).some((node) => node.id === 'idle' && node.state === 'drained');
    await eventually(isDrained, 10_000, 'it to have nothing to do');
    const { code, tookMs } = await ended(idle.child);
    assert.equal(code, 0);
    assert.ok(tookMs < 2_000, `it took ${tookMs} ms`);
  });

  it('both were still going on, and end with all results right, each once, and no attempt lost', async () => {
    for (const [i, inputs] of [CPU, IO].entries()) {
      const runId = runIds[i]!;
      const view = await direct.ended(runId, ENDS_MS_MAX);
      assert.deepEqual([view.state, view.succeeded, view.failed], ['succeeded', inputs.count, 0]);
      assert.equal(view.accounting.lostAttempts, 0);
      const serial = await serialValues('synthetic', { count: inputs.count, cpuMs: 0, bytes: inputs.bytes });
      assert.deepEqual(await direct.values(runId), serial);
    }
    for (const log of logs) assert.doesNotMatch(log(), /node lost/);
  });
});
