import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, childrenOf, cpuTicksOf, eventually, isRunning } from './cluster.ts';
import type { ResultJson, RunJson, ShownRun } from './wire.ts';

const COUNT = 200;
const work = ['run', 'synthetic', '--set', `count=${COUNT}`, '--set', 'cpuMs=10', '--model', 'processes', '--json'];
const everyTaskOnce = Array.from({ length: COUNT }, (_, task) => ({ task, value: task }));
/** Far more than the work takes, or a look for stragglers. */
const ENDS_MS_MAX = 30_000;
const STANDS_STILL_MS = 4_000;

/** All hosts of a node stand still as soon as one is at work; their agent lives on, and its heartbeats with it. */
async function freezeHostsOf(agentPid: number): Promise<number[]> {
  const before = new Map(childrenOf(agentPid).map((pid) => [pid, cpuTicksOf(pid)]));
  const isBusy = (): boolean => [...before].some(([pid, ticks]) => cpuTicksOf(pid) > ticks + 1);
  await eventually(isBusy, 10_000, 'a host to be at work');
  for (const pid of before.keys()) process.kill(pid, 'SIGSTOP');
  return [...before.keys()];
}

describe('a node on which work stands still', () => {
  it('does not hold up a run with --speculate: other nodes do what it has, and each result is there once', async () => {
    await using cluster = await Cluster.start();
    const run = cluster.start([...work, '--speculate']);
    const [frozenNode] = cluster.agents;
    const frozen = await freezeHostsOf(frozenNode!.pid);
    const ended = await Promise.race([run.ended, sleep(ENDS_MS_MAX, undefined, { ref: false })]);
    assert.ok(ended !== undefined, `it has not ended in ${ENDS_MS_MAX} ms`);
    assert.equal(ended.code, 0, ended.stderr);
    const { runId } = JSON.parse(ended.stdout) as RunJson;
    assert.deepEqual(await cluster.json<ResultJson[]>(['results', runId]), everyTaskOnce);
    const { accounting } = await cluster.json<ShownRun>(['show', runId]);
    assert.ok(accounting.copies > 0 && accounting.copiesWon > 0, JSON.stringify(accounting));
    assert.equal(accounting.lostAttempts, 0);
    assert.match((await cluster.regatta(['show', runId])).stdout, /given to a second node, which was first/);
    await eventually(() => frozen.some((pid) => !isRunning(pid)), 5_000, 'what hung to be killed');
    const next = await cluster.json<RunJson>(work);
    assert.equal(next.succeeded, COUNT);
    const { accounting: after } = await cluster.json<ShownRun>(['show', next.runId]);
    assert.ok(
      after.nodes.some(({ node, tasks }) => node === frozenNode!.id && tasks > 0),
      'the node works again',
    );
  });

  it('holds up any other run, until it goes on', async () => {
    await using cluster = await Cluster.start();
    const run = cluster.start(work);
    const frozen = await freezeHostsOf(cluster.agents[0]!.pid);
    const early = await Promise.race([run.ended, sleep(STANDS_STILL_MS)]);
    assert.equal(early, undefined, 'nothing was held up');
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
    assert.equal((await run.ended).code, 0);
  });
});
