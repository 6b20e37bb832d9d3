import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import fc from 'fast-check';
import { checkInvariants } from './invariants.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerSnapshot } from './snapshot.ts';
import { anyCommand, Drill } from './testing/drill.ts';
import { assignsIn, ModelCluster, replay } from './testing/model-cluster.ts';

/** As it is after a way over the wire or the disk. */
const asJson = (snapshot: SchedulerSnapshot): SchedulerSnapshot => JSON.parse(JSON.stringify(snapshot));

describe('a scheduler that goes on from a snapshot', () => {
  it('does what the one that it was taken of does, byte for byte, whenever it was taken', () => {
    fc.assert(
      fc.property(
        fc.array(anyCommand, { maxLength: 100, size: 'max' }),
        fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 3 }),
        (commands, steps) => {
          const drill = new Drill();
          for (const command of commands) drill.carryOut(command);
          drill.settle();
          const { story, told } = drill.cluster;
          // One after the other, so that what a snapshot loses has to show at the latest in the next one.
          let scheduler = new Scheduler();
          let at = 0;
          for (const step of steps.toSorted((a, b) => a - b)) {
            const next = Math.min(step, story.length);
            assert.deepEqual(replay(story.slice(at, next), scheduler), told.slice(at, next));
            const snapshot = scheduler.snapshot();
            const text = JSON.stringify(snapshot);
            const kept = replay(story.slice(next), scheduler);
            assert.equal(JSON.stringify(snapshot), text, 'a snapshot does not change with the scheduler');
            assert.deepEqual(kept, told.slice(next));
            scheduler = Scheduler.restore(asJson(snapshot));
            checkInvariants(scheduler);
            assert.equal(JSON.stringify(scheduler.snapshot()), text);
            at = next;
          }
          assert.deepEqual(replay(story.slice(at), scheduler), told.slice(at));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('keeps infinities, cuts that are no plain array, and waits for the same moment', () => {
    const cluster = new ModelCluster();
    cluster.submit('r1', { tasks: 10, deadlineMs: Number.POSITIVE_INFINITY, inputCuts: Uint32Array.of(3, 6) });
    const plain = asJson(cluster.scheduler.snapshot());
    assert.deepEqual(plain.runs[0]!.plan.inputCuts, [3, 6]);
    const restored = Scheduler.restore(plain);
    assert.equal(restored.runs.get('r1')!.plan.deadlineMs, Number.POSITIVE_INFINITY);
    assert.equal(restored.runs.get('r1')!.deadlineAt, Number.POSITIVE_INFINITY);
    assert.deepEqual(restored.step({ kind: 'tick' }, 5), []);
    const node = { id: 'a', incarnation: 1, machine: 'a', cores: 2, workloads: ['sums'] };
    const sizes = assignsIn(restored.step({ kind: 'nodeJoined', node }, 5)).map(({ from, to }) => to - from);
    assert.deepEqual(sizes, [1, 1, 1, 1]);
    restored.step({ kind: 'runSubmitted', plan: { ...restored.runs.get('r1')!.plan, runId: 'r2', deadlineMs: 7 } }, 5);
    assert.deepEqual(Scheduler.restore(restored.snapshot()).step({ kind: 'tick' }, 5).at(-1), { kind: 'wake', at: 12 });
  });

  it('is written in as much as there is to know, not by tasks', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    for (const [runId, tasks] of [
      ['small', 1_000],
      ['large', 100_000],
    ] as const) {
      cluster.submit(runId, { tasks, chunk: tasks / 10 });
    }
    const [small, large] = cluster.scheduler.snapshot().runs.map((run) => JSON.stringify(run).length);
    assert.ok(large! < small! + 50, `${large} bytes, and ${small} for a hundredth of the tasks`);
  });

  it('refuses one of a version that it does not know, in one line', () => {
    for (const version of [0, 3, '1', undefined]) {
      const snapshot = { ...new Scheduler().snapshot(), version } as SchedulerSnapshot;
      assert.throws(
        () => Scheduler.restore(snapshot),
        (thrown) =>
          thrown instanceof RegattaError &&
          thrown.code === 'SNAPSHOT_VERSION' &&
          !thrown.message.includes('\n') &&
          thrown.message.includes(`version ${version}`),
      );
    }
  });
});
