import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantError } from '@regatta/kernel';
import type { RunPlan } from './events.ts';
import { limits } from './limits.ts';
import { Run } from './run.ts';
import { assignsIn, ModelCluster } from './testing/model-cluster.ts';

const shape = { processes: 1, threads: 1, concurrency: 1 };
const plain = { runId: 'r1', workload: 'sums', shape, nodes: 0, policy: 'self', retries: 0, deadlineMs: 0 } as const;

/** The chunks of a run of which each is asked to have `chunk` tasks. */
function chunksOf(plan: Pick<RunPlan, 'tasks' | 'chunk' | 'inputCuts'>): [from: number, to: number][] {
  const run = new Run({ ...plain, ...plan }, 0);
  const chunks: [number, number][] = [];
  while (run.next < plan.tasks) {
    const { from, to } = run.take(plan.chunk, 0);
    chunks.push([from, to]);
  }
  return chunks;
}

describe('a run whose input comes in parts', () => {
  it('has no chunk with tasks of two of them, and else the chunks that it would have', () => {
    assert.deepEqual(chunksOf({ tasks: 20, chunk: 5, inputCuts: [3, 8, 9, 19] }), [
      [0, 3],
      [3, 8],
      [8, 9],
      [9, 14],
      [14, 19],
      [19, 20],
    ]);
    assert.deepEqual(chunksOf({ tasks: 10, chunk: 5, inputCuts: [5] }), chunksOf({ tasks: 10, chunk: 5 }));
  });

  it('may have a part for each task', () => {
    const chunks = chunksOf({ tasks: 100, chunk: 7, inputCuts: Uint32Array.from({ length: 99 }, (_, i) => i + 1) });
    assert.deepEqual(new Set(chunks.map(([from, to]) => to - from)), new Set([1]));
  });

  it('looks at each cut once, however many there are', () => {
    let looks = 0;
    const cuts = Array.from({ length: 9_999 }, (_, i) => 10 * (i + 1));
    const counted = new Proxy(cuts, {
      get: (target, key) => {
        looks += key === 'length' ? 0 : 1;
        return Reflect.get(target, key);
      },
    });
    assert.equal(chunksOf({ tasks: 100_000, chunk: 3, inputCuts: counted }).length, 40_000);
    assert.ok(looks <= cuts.length + 2, `${looks} looks at ${cuts.length} cuts`);
  });

  it('is tried again within its parts', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 10, chunk: 10, inputCuts: [4] });
    for (const order of cluster.held()) cluster.letGo(order);
    const again = assignsIn(cluster.pass(limits.retryBackoffMsMin)).map(({ from, to }) => [from, to]);
    // Each after a moment of its own.
    assert.deepEqual(again.sort(), [
      [0, 4],
      [4, 10],
    ]);
  });

  it('has cuts that ascend from its second task to its last: others are a bug of the caller', () => {
    for (const inputCuts of [[0], [10], [11], [-1], [2.5], [Number.NaN], [5, 5], [5, 3]]) {
      const submit = () => new ModelCluster().submit('r1', { tasks: 10, inputCuts });
      assert.throws(submit, InvariantError, JSON.stringify(inputCuts));
    }
    assert.doesNotThrow(() => new ModelCluster().submit('r1', { tasks: 10, inputCuts: [1, 5, 9] }));
  });
});
