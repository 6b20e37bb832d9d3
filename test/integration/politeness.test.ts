import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startNats } from '@regatta/broker/testing';
import { startTarget, type Target } from '@regatta/workloads/target';
import { Cluster, eventually } from './cluster.ts';
import type { RunJson } from './wire.ts';

const LATENCY_MS = 30;
const targetFor = (ms = LATENCY_MS): Promise<Target> => startTarget({ latency: { kind: 'fixed', ms }, bodyBytes: 100 });

function scrape(target: { readonly url: string }, count: number, ...options: string[]): string[] {
  return ['run', 'web-scraper', '--set', `base=${target.url}/`, '--set', `count=${count}`, ...options];
}

describe('a run that is to be polite', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agents: 2 });
  });
  after(() => cluster.stop());

  for (const [model, ...options] of [
    ['async'],
    ['threads', '--threads', '3'],
    ['processes', '--processes', '4'],
    ['hybrid', '--processes', '2', '--threads', '2', '--concurrency', '4'],
  ]) {
    it(`has no more tasks talk to a target than it says, over all nodes, and as many, under ${model}`, async () => {
      await using target = disposable(await targetFor());
      const limited = ['--max-in-flight-per-target', '2', '--model', model!, ...options];
      const run = await cluster.json<RunJson>(scrape(target, 60, ...limited));
      assert.deepEqual([run.state, run.succeeded], ['succeeded', 60]);
      const { inFlightMax, requests } = target.stats();
      assert.deepEqual([inFlightMax, requests], [2, 60]);
    });
  }

  it('keeps to the same over all runs that are polite', async () => {
    await using target = disposable(await targetFor());
    const args = scrape(target, 40, '--max-in-flight-per-target', '2');
    const runs = await Promise.all([cluster.json<RunJson>(args), cluster.json<RunJson>(args)]);
    assert.deepEqual(
      runs.map(({ succeeded }) => succeeded),
      [40, 40],
    );
    assert.equal(target.stats().inFlightMax, 2);
  });

  it('lets each of two targets have as many', async () => {
    await using one = disposable(await targetFor());
    await using other = disposable(await targetFor());
    const urls = Array.from({ length: 60 }, (_, i) => `${i % 2 === 0 ? one.url : other.url}/?n=${i}`).join(',');
    const run = await cluster.json<RunJson>([
      ...['run', 'web-scraper', '--set', `urls=${urls}`],
      ...['--max-in-flight-per-target', '2'],
    ]);
    assert.equal(run.succeeded, 60);
    assert.deepEqual([one.stats().inFlightMax, other.stats().inFlightMax], [2, 2]);
  });

  it('begins no more tasks a second than it says, and nearly as many', async () => {
    await using target = disposable(await targetFor());
    // Hosts that load what they need meanwhile would be late with their first requests.
    await cluster.json(scrape(target, 32));
    await using fresh = disposable(await targetFor());
    const run = await cluster.json<RunJson>(scrape(fresh, 50, '--max-rate-per-target', '20'));
    assert.equal(run.succeeded, 50);
    const { perSecondMax } = fresh.stats();
    assert.ok(run.wallMs >= 49 * 50 - 10 && run.wallMs < 4 * 49 * 50, `took ${run.wallMs} ms`);
    // In a window of a second there is room for one more; and what a busy machine sends late is near the next.
    assert.ok(perSecondMax <= 26, `${perSecondMax} in a second`);
  });

  it('counts no waiting as time of a task', async () => {
    await using target = disposable(await targetFor(50));
    for (const model of ['async', 'threads']) {
      const limited = ['--max-in-flight-per-target', '1', '--timeout', '1500ms', '--model', model];
      const run = await cluster.json<RunJson>(scrape(target, 40, ...limited));
      assert.deepEqual([run.succeeded, run.failures, run.hostRestarts], [40, [], 0], model);
    }
  });

  it('leaves a target alone for as long as it asked for, on all nodes, and then goes on', async () => {
    await using target = await busyTarget(3);
    const limited = ['--max-in-flight-per-target', '1', '--retries', '1'];
    const run = await cluster.json<RunJson>(scrape(target, 10, ...limited));
    assert.equal(run.succeeded, 10);
    const { refusedAt, askedAt } = target;
    assert.equal(askedAt.length, 11);
    const next = askedAt.filter((at) => at > refusedAt[0]!);
    assert.ok(next[0]! - refusedAt[0]! > 995, `asked again after ${next[0]! - refusedAt[0]!} ms`);
    assert.ok(next[0]! - refusedAt[0]! < 10_000, `asked again only after ${next[0]! - refusedAt[0]!} ms`);
  });

  it('says what it waits for, and stops at once when told to', async () => {
    await using target = disposable(await targetFor(60_000));
    const cli = cluster.start(scrape(target, 30, '--max-in-flight-per-target', '2', '--json'));
    await eventually(() => target.stats().inFlight === 2, 10_000, 'two tasks to talk to it');
    const [{ runId }] = await cluster.json<[RunJson]>(['runs']);
    const { reasons } = await explained(runId);
    const host = new URL(target.url).host;
    assert.equal(reasons[0]!.code, 'POLITENESS');
    assert.match(reasons[0]!.text, new RegExp(`^\\d+ tasks wait for ${host}: at most 2 in flight$`));
    const start = performance.now();
    const { cancelled } = await cluster.json<RunJson>(['cancel', runId]);
    assert.equal(cancelled, 30);
    assert.ok(performance.now() - start < 5_000);
    await cli.ended;
    assert.ok(target.stats().requests <= 2 + 2);
  });

  async function explained(runId: string): Promise<{ reasons: { code: string; text: string }[] }> {
    const one = (): Promise<{ reasons: { code: string; text: string }[] }> => cluster.json(['explain', runId]);
    await eventually(async () => (await one()).reasons[0]?.code === 'POLITENESS', 5_000, 'it to say why');
    return one();
  }

  it('is refused in one line where its tasks talk to nobody', async () => {
    const { code, stderr } = await cluster.regatta(['run', 'noop', '--max-in-flight-per-target', '3']);
    assert.equal(code, 2);
    assert.equal(stderr, 'regatta: the tasks of noop talk to no target: leave out --max-…-per-target\n');
  });
});

describe('a run that is to be polite, whose node is killed', () => {
  it('ends, keeps to what it said, and uses all of it again', async () => {
    await using cluster = await Cluster.start({ agents: 2 });
    await using target = disposable(await targetFor());
    const ended = cluster.json<RunJson>(scrape(target, 150, '--max-in-flight-per-target', '3', '--concurrency', '8'));
    await eventually(() => target.stats().requests > 30, 10_000, 'the run to be under way');
    cluster.agents[0]!.child.kill('SIGKILL');
    const run = await ended;
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 150]);
    assert.equal(target.stats().inFlightMax, 3);
    await using fresh = disposable(await targetFor());
    await cluster.json<RunJson>(scrape(fresh, 30, '--max-in-flight-per-target', '3'));
    assert.equal(fresh.stats().inFlightMax, 3);
  });
});

describe('a run that is to be polite, through a queue', () => {
  it('keeps to what it says', async () => {
    await using nats = await startNats();
    await using cluster = await Cluster.start({ agents: 2, serveArgs: ['--nats', nats.url] });
    await using target = disposable(await targetFor());
    const limited = ['--max-in-flight-per-target', '3', '--transport', 'nats', '--concurrency', '8'];
    const run = await cluster.json<RunJson>(scrape(target, 60, ...limited));
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 60]);
    assert.equal(target.stats().inFlightMax, 3);
  });
});

const disposable = (target: Target): Target & AsyncDisposable => ({
  ...target,
  [Symbol.asyncDispose]: () => target.close(),
});

/** Answers its nth request with 503 and a Retry-After of one second. Times are of performance.now(). */
async function busyTarget(refuses: number) {
  const askedAt: number[] = [];
  const refusedAt: number[] = [];
  const server = createServer((_request, response) => {
    askedAt.push(performance.now());
    if (askedAt.length !== refuses) return void response.end('well');
    refusedAt.push(performance.now());
    response.writeHead(503, { 'retry-after': '1' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url, askedAt, refusedAt, [Symbol.asyncDispose]: close };
}
