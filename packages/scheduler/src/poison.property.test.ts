/** Tasks that kill or never end, on a cluster that comes, goes and drains meanwhile: who is blamed, and what it costs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { anyPlan } from './testing/drill.ts';
import { anyCommand, PoisonedCluster } from './testing/poisoned-cluster.ts';

const TASKS = 100;

/**
 * Attempts with a deadly task in them that die before it has failed. Each halves what it was in; once alone in its chunk
 * it is suspected, then tried by itself, and that as often as the run tries a failed task again.
 */
const deathsMax = (chunkTasks: number, retries: number): number => Math.ceil(Math.log2(chunkTasks)) + 2 + retries;

const anyTask = fc.nat(TASKS - 1);
const anyBadTasks = fc
  .tuple(fc.uniqueArray(anyTask, { maxLength: 5 }), fc.uniqueArray(anyTask, { maxLength: 3 }))
  .map(([deadly, stuck]) => ({ deadly, stuck: stuck.filter((task) => !deadly.includes(task)) }));

const ascending = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);

describe('among tasks that kill their host process or never end', () => {
  it('exactly these fail, whatever is at work beside them and whoever is blamed, after few deaths each', () => {
    fc.assert(
      fc.property(
        anyPlan,
        anyBadTasks,
        fc.array(anyCommand, { maxLength: 100, size: 'max' }),
        ({ shape, nodes, policy, chunk, retries, inputCuts, queued = false }, { deadly, stuck }, commands) => {
          const cuts = inputCuts.filter((cut) => cut < TASKS);
          const drill = new PoisonedCluster(deadly, stuck);
          drill.submit({ tasks: TASKS, shape, nodes, policy, chunk, retries, inputCuts: cuts, queued });
          for (const command of commands) drill.carryOut(command);
          drill.settle(3_000);
          assert.deepEqual(ascending(drill.givenUp), ascending([...deadly, ...stuck]));
          assert.equal(drill.cluster.ledger.endOf('r1')?.counts.succeeded, TASKS - deadly.length - stuck.length);
          for (const [task, deaths] of drill.deaths) {
            const most = deathsMax(drill.firstChunk.get(task)!, retries);
            assert.ok(deaths <= most, `task ${task} took ${deaths} attempts with it, and ${most} at most is due`);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('one in a chunk of the largest size takes as many attempts with it as it may, and no more', () => {
    const { chunkTasksMax: tasks } = limits;
    const drill = new PoisonedCluster([0], []);
    drill.submit({ tasks, chunk: tasks, retries: 1 });
    drill.settle(100);
    assert.deepEqual(drill.givenUp, [0]);
    assert.equal(drill.firstChunk.get(0), tasks);
    assert.equal(drill.deaths.get(0), deathsMax(tasks, 1));
    assert.equal(deathsMax(tasks, 0), 18);
  });
});
