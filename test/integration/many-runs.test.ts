/** Many runs, at once and one after another: all are right, none is starved, and nothing piles up. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { type Cluster, memoryMiBOf } from './cluster.ts';
import { type Direct, oneForAll, serialValues } from './direct.ts';

const AT_ONCE = 50;
const IN_A_ROW = 1_000;
const IN_A_ROW_AT_ONCE = 4;
/**
 * Over 500 runs that a coordinator remembers, mostly of what its collector has not got round to yet: it levels off
 * after 5,000 or so. What leaks slowly is for longer tests than this.
 */
const GROWTH_MIB_MAX = 60;
/** An agent remembers nothing. */
const AGENT_GROWTH_MIB_MAX = 15;
const UNFAIR = 1.5;

describe('a cluster with many runs', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  it(`${AT_ONCE} at once: all are right, and none waits for another to end`, async () => {
    const inputs = { count: 40, samples: 20_000 };
    const expected = await serialValues('monte-carlo-pi', inputs);
    const submitted = Array.from({ length: AT_ONCE }, () =>
      direct.submit('monte-carlo-pi', inputs, { model: 'processes', policy: 'self' }),
    );
    const runs = await Promise.all((await Promise.all(submitted)).map((runId) => direct.ended(runId)));
    for (const { runId, state } of runs) {
      assert.equal(state, 'succeeded');
      assert.deepEqual(await direct.values(runId), expected);
    }
    // Equal runs that take turns end together, at the end of all. One after another, they would end evenly spread.
    const ends = runs.map(({ wallMs }) => wallMs).sort((a, b) => a - b);
    assert.ok(ends[AT_ONCE / 5]! > ends.at(-1)! / 2, `ends after ${ends.map(Math.round).join(', ')} ms`);
  });

  it('two equal long ones at once end at about the same time', async () => {
    const [one, other] = await Promise.all([long(direct), long(direct)].map(async (run) => direct.ended(await run)));
    const walls = [one!.wallMs, other!.wallMs].sort((a, b) => a - b) as [number, number];
    assert.ok(walls[1] < UNFAIR * walls[0], `${walls.join(' and ')} ms`);
  });

  it('a short one behind a long one ends long before it', async () => {
    const before = await long(direct);
    const short = await direct.run('monte-carlo-pi', { count: 20, samples: 20_000 });
    const { state, succeeded } = await direct.client.run(before);
    assert.equal(state, 'running', 'the long run was over first');
    assert.ok(succeeded < LONG.count / 2, `${succeeded} of ${LONG.count} tasks of the long run were done`);
    assert.equal(short.state, 'succeeded');
    await direct.client.cancel(before, 'the test is over');
    await direct.ended(before);
  });

  it(`${IN_A_ROW} short ones in a row: all succeed, and neither coordinator nor agents grow with them`, async () => {
    const pids = [cluster.coordinator.pid!, ...cluster.agents.map(({ pid }) => pid)];
    await inARow(direct, IN_A_ROW / 2);
    const halfMiB = pids.map(memoryMiBOf);
    await inARow(direct, IN_A_ROW / 2);
    const grownMiB = pids.map((pid, i) => memoryMiBOf(pid) - halfMiB[i]!);
    const [coordinator, ...agents] = grownMiB as [number, ...number[]];
    assert.ok(coordinator < GROWTH_MIB_MAX, `the coordinator grew by ${coordinator} MiB`);
    assert.ok(Math.max(...agents) < AGENT_GROWTH_MIB_MAX, `agents grew by ${agents.join(', ')} MiB`);
    const { runsActive, runsKept } = await direct.client.status();
    assert.deepEqual([runsActive, runsKept], [0, 1_000]);
    for (const { id, busyLanes, hosts } of await direct.client.nodes()) {
      assert.equal(busyLanes, 0);
      assert.ok(hosts <= 4, `${id} has ${hosts} host processes`);
    }
  });
});

const LONG = { count: 600, samples: 500_000 };
const long = (direct: Direct): Promise<string> =>
  direct.submit('monte-carlo-pi', LONG, { model: 'processes', policy: 'self' });

/** A few side by side, so that the way of an order is not all that this takes. */
async function inARow(direct: Direct, count: number): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const run: RunView = await direct.run('noop', { count: 5 });
      assert.deepEqual([run.state, run.succeeded], ['succeeded', 5]);
    }
  };
  await Promise.all(Array.from({ length: IN_A_ROW_AT_ONCE }, one));
}
