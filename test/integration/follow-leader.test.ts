import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { Cluster, type Coordinator, type Ended, eventually, startCoordinator } from './cluster.ts';
import type { ResultJson, RunJson, StatusJson } from './wire.ts';

const COUNT = 2_000;
/** It waits rather than computes, so that it takes about as long on a busy machine: eight at a time, 10 s. */
const WORK = [
  ...['run', 'synthetic', '--set', `count=${COUNT}`, '--set', 'cpuMs=0', '--set', 'ioMs=40', '--set', 'bytes=4'],
  ...['--model', 'async', '--concurrency', '4'],
];
/** As synthetic makes it: its index, and in JSON base64. */
const resultOf = (task: number): string => Buffer.from(Uint32Array.of(task).buffer).toString('base64');
const WENT_AWAY = 'the coordinator went away; looking for the one that takes over …\n';
const UNDER_WAY = /synthetic: \d+ of 2,000 tasks/;

/** Two coordinators, of which the first leads, and two nodes that know both. */
class Pair {
  readonly nats: NatsServer;
  readonly cluster: Cluster;
  readonly standBy: Coordinator;
  readonly both: string;

  private constructor(nats: NatsServer, cluster: Cluster, standBy: Coordinator) {
    this.nats = nats;
    this.cluster = cluster;
    this.standBy = standBy;
    this.both = `${cluster.address},${standBy.address}`;
  }

  static async start(): Promise<Pair> {
    const nats = await startNats();
    const serveArgs = ['--nats', nats.url];
    const cluster = await Cluster.start({ agents: 0, serveArgs });
    // It answers once it leads, so that the next one does not.
    await cluster.json<StatusJson>(['status']);
    const pair = new Pair(nats, cluster, await startCoordinator(cluster.sandbox, serveArgs));
    await Promise.all(['node-1', 'node-2'].map((id) => cluster.addAgent(id, { cores: 1, dials: pair.both })));
    return pair;
  }

  start(args: readonly string[], addresses = this.both): ReturnType<Cluster['sandbox']['start']> {
    return this.cluster.sandbox.start([...args, '--coordinator', addresses]);
  }

  regatta(args: readonly string[], addresses = this.both): Promise<Ended> {
    return this.start(args, addresses).ended;
  }

  async json<T>(args: readonly string[], addresses = this.both): Promise<T> {
    return this.cluster.sandbox.json<T>([...args, '--coordinator', addresses]);
  }

  async runningRun(): Promise<string> {
    let runId = '';
    const running = async (): Promise<boolean> => {
      const [run] = await this.json<RunJson[]>(['runs']);
      runId = run?.runId ?? '';
      return run?.state === 'running';
    };
    await eventually(running, 15_000, 'the run to be under way');
    return runId;
  }

  async killLeader(): Promise<void> {
    const { coordinator } = this.cluster;
    const exit = once(coordinator, 'exit');
    coordinator.kill('SIGKILL');
    await exit;
  }

  async end(): Promise<void> {
    await this.cluster.sandbox.discard();
    await this.nats[Symbol.asyncDispose]();
  }
}

describe('with two coordinators', () => {
  let pair: Pair;
  beforeEach(async () => {
    pair = await Pair.start();
  });
  afterEach(() => pair.end());

  it('run, watch and results go on when the one that leads is killed with -9, and end right', async () => {
    const run = pair.start([...WORK, '--json']);
    await run.says(UNDER_WAY);
    const runId = await pair.runningRun();
    const watch = pair.start(['watch', runId]);
    const results = pair.start(['results', runId, '--json']);
    await watch.says(new RegExp(`${runId}: .* of 2,000 tasks`));
    await pair.killLeader();

    const ended = await run.ended;
    assert.deepEqual([ended.code, timesSaid(ended)], [0, 1], ended.stderr);
    const { result, succeeded } = JSON.parse(ended.stdout) as RunJson;
    assert.deepEqual([succeeded, result], [COUNT, { tasks: COUNT, bytes: 4 * COUNT }]);
    const watched = await watch.ended;
    assert.deepEqual([watched.code, timesSaid(watched)], [0, 1], watched.stderr);
    assert.match(watched.stdout, new RegExp(`^${runId}: succeeded, 2,000 tasks`));
    const told = await results.ended;
    assert.deepEqual([told.code, timesSaid(told)], [0, 1], told.stderr);
    const values = JSON.parse(told.stdout) as ResultJson[];
    assert.deepEqual(
      values,
      Array.from({ length: COUNT }, (_, task) => ({ task, value: resultOf(task) })),
    );

    const [listed] = await pair.json<RunJson[]>(['runs']);
    assert.deepEqual([listed?.runId, listed?.state], [runId, 'succeeded']);
    const replayed = await pair.regatta(['replay', runId]);
    assert.equal(replayed.code, 0, replayed.stderr);
    assert.match(replayed.stdout, new RegExp(`^${runId}: identical, `));
  });

  it('one that stands by names the one that leads, and is enough to be given', async () => {
    const { cluster, standBy } = pair;
    const { code, stdout, stderr } = await pair.regatta(['run', 'noop', '--set', 'count=50'], standBy.address);
    assert.equal(code, 0, stdout + stderr);
    const { coordinator, nats } = await pair.json<StatusJson>(['status'], standBy.address);
    assert.deepEqual(coordinator, { pid: cluster.coordinator.pid, address: cluster.address, metrics: null });
    assert.deepEqual([nats.journal, nats.servers, nats.server], [true, [`127.0.0.1:${pair.nats.port}`], null]);
    const echo = ['run', 'echo', '--set', 'count=5', '--json'];
    assert.equal((await pair.json<RunJson>(echo.slice(0, -1), standBy.address)).succeeded, 5);
    assert.equal((await pair.json<RunJson[]>(['runs'])).length, 2);
  });

  it('Ctrl-C cancels the run, also while none of them is there', async () => {
    const { cluster, standBy } = pair;
    standBy.child.kill('SIGKILL');
    const run = pair.start([...WORK, '--json']);
    await run.says(UNDER_WAY);
    await pair.killLeader();
    await run.says(/looking for the one that takes over/);
    run.child.kill('SIGINT');
    const args = ['--nats', pair.nats.url, '--listen', cluster.address];
    await startCoordinator(cluster.sandbox, args);
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 130, stderr);
    assert.equal((JSON.parse(stdout) as RunJson).state, 'cancelled');
  });

  it('says in one line, at once, that none of them is there', async () => {
    const { cluster, standBy } = pair;
    standBy.child.kill('SIGKILL');
    await pair.killLeader();
    const start = performance.now();
    for (const command of [['status'], ['run', 'noop'], ['watch', 'run-x']]) {
      const { code, stdout, stderr } = await pair.regatta([...command, '--json']);
      assert.deepEqual([code, stdout], [3, '']);
      const each = [cluster.address, standBy.address].map((address) => `${address}: connect ECONNREFUSED ${address}`);
      assert.equal(
        stderr,
        `regatta: no coordinator answers (${each.join('; ')}); check --coordinator, or start a cluster with regatta up\n`,
      );
    }
    assert.ok(performance.now() - start < 10_000);
  });
});

describe('a coordinator that cannot lead', () => {
  it('is waited for, with a word about why, and then given up in one line', async () => {
    await using cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', '127.0.0.1:1'] });
    const { code, stdout, stderr } = await cluster.regatta(['run', 'noop', '--json']);
    assert.deepEqual([code, stdout], [3, '']);
    const [waiting, gaveUp, ...rest] = stderr.split('\n');
    assert.match(
      waiting!,
      /^waiting up to 15 s for a coordinator that leads; \S+: no coordinator leads yet: .*127\.0\.0\.1:1/,
    );
    assert.match(gaveUp!, new RegExp(`^regatta: no coordinator led within 1[56] s \\(${cluster.address}: no coordi`));
    assert.deepEqual(rest, ['']);
  });
});

describe('a coordinator without a journal', () => {
  it('takes its runs with it: watch says so at once; and there is nothing to replay', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    const run = cluster.start([...WORK, '--json']);
    await run.says(UNDER_WAY);
    const [{ runId }] = (await cluster.json<RunJson[]>(['runs'])) as [RunJson];
    const replayed = await cluster.regatta(['replay', runId]);
    assert.deepEqual([replayed.code, replayed.stdout], [2, '']);
    assert.match(replayed.stderr, /^regatta: this coordinator has no journal.*--nats\n$/);
    const exit = once(cluster.coordinator, 'exit');
    cluster.coordinator.kill('SIGKILL');
    await exit;
    const { code, stderr } = await run.ended;
    assert.equal(code, 3);
    assert.match(stderr, new RegExp(`^regatta: the coordinator went away while ${runId} was running: `, 'm'));
    assert.doesNotMatch(stderr, /looking for/);
  });
});

const timesSaid = ({ stderr }: Ended): number => stderr.split(WENT_AWAY).length - 1;
