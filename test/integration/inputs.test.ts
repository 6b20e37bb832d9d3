/** Tasks with inputs of their own: what was sent is what arrives, and what is too much is refused before it costs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Cluster, childrenOf, eventually, isConnectedTo } from './cluster.ts';
import { type Direct, oneForAll } from './direct.ts';
import type { RunJson } from './wire.ts';

const MIB = 2 ** 20;
const shapes = [
  ['--model', 'processes'],
  ['--model', 'threads', '--threads', '2'],
];

const echo = (count: number, bytes: number, ...options: string[]): string[] => [
  ...['run', 'echo', '--set', `count=${count}`, '--set', `bytes=${bytes}`, ...options, '--json'],
];

describe('inputs', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  const kept = async (): Promise<number> => {
    const { keptMemoryBytes, keptDiskBytes } = await direct.client.status();
    return keptMemoryBytes + keptDiskBytes;
  };

  for (const shape of shapes) {
    it(`of 1 MiB come back intact, under ${shape[1]}`, async () => {
      const { code, stdout, stderr } = await cluster.regatta(echo(64, MIB, ...shape));
      assert.equal(code, 0, stderr);
      const { result } = JSON.parse(stdout) as RunJson;
      assert.deepEqual(result, { tasks: 64, bytes: 64 * MIB, intact: 64 });
    });

    it(`of next to nothing come back intact, 20,000 of them, under ${shape[1]}`, async () => {
      const { code, stdout, stderr } = await cluster.regatta(echo(20_000, 16, ...shape));
      assert.equal(code, 0, stderr);
      const { result } = JSON.parse(stdout) as RunJson;
      assert.deepEqual(result, { tasks: 20_000, bytes: 320_000, intact: 20_000 });
    });
  }

  it('come back intact though the tasks are tried again after their host died', async () => {
    const before = await kept();
    const hosts = childrenOf(cluster.agents[0]!.pid);
    // They take what they are given, and do nothing with it.
    for (const pid of hosts) process.kill(pid, 'SIGSTOP');
    const runId = await direct.submit('echo', { count: 32, bytes: MIB }, { model: 'processes', policy: 'self' });
    const onlyTheyAreLeft = async (): Promise<boolean> => {
      const { inFlight, succeeded } = await direct.client.run(runId);
      return succeeded > 0 && inFlight > 0 && inFlight + succeeded === 32;
    };
    await eventually(onlyTheyAreLeft, 10_000, 'all others to be done');
    for (const pid of hosts) process.kill(pid, 'SIGKILL');
    const run = await direct.ended(runId);
    assert.deepEqual([run.state, run.succeeded], ['succeeded', 32]);
    assert.ok(run.accounting.hostRestarts > 0, 'no host died over it');
    const values = await direct.values(runId);
    for (let task = 0; task < 32; task++) assert.equal((values.get(task) as Uint8Array).byteLength, MIB);
    assert.ok((await kept()) - before < 33 * MIB, 'its inputs are kept after its end');
  });

  it('of the largest size that there is come back intact', async () => {
    // A byte of each is the codec's.
    const { code, stdout, stderr } = await cluster.regatta(echo(2, 32 * MIB - 1));
    assert.equal(code, 0, stderr);
    assert.deepEqual((JSON.parse(stdout) as RunJson).result, { tasks: 2, bytes: 64 * MIB - 2, intact: 2 });
  });

  it('that are larger are refused in one line that names the task and the limit, and nothing is left of the run', async () => {
    const [before, { runsKept }] = [await kept(), await direct.client.status()];
    const { code, stdout, stderr } = await cluster.regatta(echo(2, 32 * MIB));
    assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [2, '', 1], stderr);
    assert.match(stderr, /^regatta: the input of task 0 is 33554433 bytes; at most 33554432 can be sent/);
    await eventually(async () => (await kept()) === before, 5_000, 'what was sent to be forgotten');
    assert.equal((await direct.client.status()).runsKept, runsKept);
  });

  it('whose results are too large fail each alone, with its size and the limit', async () => {
    const inputs = ['--set', 'how=large', '--set', `bytes=${32 * MIB}`, '--set', 'at=3', '--set', 'count=6'];
    const { code, stderr, stdout } = await cluster.regatta(['run', 'faulty', ...inputs]);
    assert.equal(code, 1);
    assert.match(stderr, /task 3 on node-\d.*RESULT_TOO_LARGE: its result is 33554433 bytes; at most 33554432/);
    assert.deepEqual(JSON.parse(stdout), { tasks: 5, misbehaved: 0 });
    assert.equal((await direct.client.status()).runsActive, 0);
  });

  for (const [what, signal, code] of [
    ['is killed', 'SIGKILL', null],
    ['is interrupted', 'SIGINT', 130],
  ] as const) {
    it(`that stop coming, as their client ${what}, are forgotten`, async () => {
      const [before, { runsKept }] = [await kept(), await direct.client.status()];
      const client = cluster.start(echo(8_000, MIB));
      const port = Number(cluster.address.split(':').at(-1));
      await eventually(() => isConnectedTo(client.child.pid!, port), 15_000, 'it to reach the coordinator');
      await eventually(async () => (await kept()) > before + 8 * MIB, 15_000, 'some of its inputs to arrive');
      client.child.kill(signal);
      assert.equal((await client.ended).code, code);
      await eventually(async () => (await kept()) === before, 5_000, 'what was sent to be forgotten');
      const after = await direct.client.status();
      assert.deepEqual([after.runsActive, after.runsKept], [0, runsKept]);
    });
  }
});
