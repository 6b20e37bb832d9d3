/** A host process is not for ever: it goes when it has done its part, or has grown, and nobody fails for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, childrenOf, memoryMiBOf } from './cluster.ts';
import { Direct } from './direct.ts';

const LIMIT_MIB = 192;
const LEAK_MIB = 20;
const LEAKS = 40;
const LOOK_MS = 10;
const leak = { how: 'leak', bytes: LEAK_MIB * 2 ** 20 };

describe('a host process', () => {
  it('whose tasks leak is replaced at about its limit, and none is killed', async () => {
    await using cluster = await Cluster.start({ agents: 1, agentArgs: ['--host-memory', `${LIMIT_MIB}MiB`] });
    using direct = new Direct(cluster.address);
    const hosts = watchHosts(cluster);
    // Between leaks a host waits for longer than it takes to notice that it has grown.
    const inputs = { ...leak, every: 2, count: LEAKS, workMs: 250 };
    const run = await direct.run('faulty', inputs, { model: 'processes', policy: 'self' });
    const { pids, peakMiB } = await hosts.stop();
    assert.deepEqual([run.state, run.succeeded, run.accounting.hostRestarts], ['succeeded', LEAKS, 0]);
    assert.equal((await direct.values(run.runId)).size, LEAKS);
    // 400 MiB in two hosts at a time, each of which begins with some 90.
    assert.ok(pids.size >= 4, `${pids.size} hosts`);
    // It ends what it was given already: a task, and one more ahead.
    assert.ok(peakMiB < LIMIT_MIB + 2 * LEAK_MIB, `one took ${peakMiB} MiB`);
  });

  it('whose tasks leak faster than that is killed, not far above its limit, and no task fails', async () => {
    await using cluster = await Cluster.start({ agents: 1, agentArgs: ['--host-memory', `${LIMIT_MIB}MiB`] });
    using direct = new Direct(cluster.address);
    const hosts = watchHosts(cluster);
    const run = await direct.run('faulty', { ...leak, every: 1, count: LEAKS }, { model: 'processes' });
    const { pids, peakMiB } = await hosts.stop();
    assert.deepEqual([run.state, run.succeeded, run.failures], ['succeeded', LEAKS, []]);
    assert.equal((await direct.values(run.runId)).size, LEAKS);
    assert.ok(pids.size >= 6, `${pids.size} hosts`);
    // As much again is what tasks can write between two looks of the agent, four a second; all leaks are 800 MiB.
    assert.ok(peakMiB < 2 * LIMIT_MIB, `one took ${peakMiB} MiB`);
  });

  it('is replaced after as many tasks as --host-tasks says, and no task fails', async () => {
    await using cluster = await Cluster.start({ agents: 1, agentArgs: ['--host-tasks', '50'] });
    using direct = new Direct(cluster.address);
    const hosts = watchHosts(cluster);
    const run = await direct.run('noop', { count: 1000 }, { model: 'processes', chunk: 10 });
    const { pids } = await hosts.stop();
    assert.deepEqual([run.state, run.succeeded, run.accounting.hostRestarts], ['succeeded', 1000, 0]);
    const values = await direct.values(run.runId);
    assert.deepEqual(
      [...values.values()],
      Array.from({ length: 1000 }, (_, task) => task),
    );
    assert.ok(pids.size > 2, `${pids.size} hosts`);
    const used = run.accounting.nodes.reduce((sum, { hosts }) => sum + hosts, 0);
    // A host ends the chunks that it holds already; fewer than four would be 250 tasks each.
    assert.ok(used >= 4, `${used} hosts worked`);
  });
});

/** Looks at the host processes of the first agent, again and again: no event tells of their memory. */
function watchHosts(cluster: Cluster): { stop: () => Promise<{ pids: Set<number>; peakMiB: number }> } {
  const pids = new Set<number>();
  const done = new AbortController();
  let peakMiB = 0;
  const look = async (): Promise<void> => {
    for (; !done.signal.aborted; await sleep(LOOK_MS)) {
      for (const pid of childrenOf(cluster.agents[0]!.pid)) {
        pids.add(pid);
        peakMiB = Math.max(peakMiB, memoryMiBOf(pid));
      }
    }
  };
  const looking = look();
  looking.catch(() => {});
  return {
    stop: async () => {
      done.abort();
      await looking;
      return { pids, peakMiB };
    },
  };
}
