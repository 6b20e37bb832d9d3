import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mixSeed, Rng } from '@regatta/kernel';
import { runSerially } from '../serially.ts';
import { monteCarloPi } from './monte-carlo-pi.ts';

const inside = async (given: { samples: number; seed: number }): Promise<number[]> =>
  (await runSerially(monteCarloPi, { count: 5, ...given })).results.map(({ value }) => value);

describe('a task of monte-carlo-pi', () => {
  it('counts the points of its own stream that are nearer than 1 to the origin', async () => {
    const counts = await inside({ samples: 500, seed: 3 });
    for (const [task, count] of counts.entries()) {
      const rng = new Rng(mixSeed(3, task));
      const points = Array.from({ length: 500 }, () => [rng.unit(), rng.unit()] as const);
      assert.equal(count, points.filter(([x, y]) => Math.hypot(x, y) < 1).length);
    }
  });

  it('draws other points than its neighbours, and others for another seed', async () => {
    const counts = await inside({ samples: 100_000, seed: 1 });
    assert.ok(new Set(counts).size > 1);
    assert.notDeepEqual(await inside({ samples: 100_000, seed: 2 }), counts);
  });
});

describe('a run of monte-carlo-pi', () => {
  it('comes near pi, and always as near', async () => {
    const { results, combined } = await runSerially(monteCarloPi);
    assert.equal(results.length, 100);
    // The digits themselves: a model or machine that gives others has computed something else.
    assert.deepEqual({ ...combined, error: 0 }, { samples: 10_000_000, inside: 7_854_145, pi: 3.141658, error: 0 });
    // four standard deviations: 4 x 1.64 / sqrt(10,000,000)
    assert.ok(combined.error! < 0.0021, `off by ${combined.error}`);
    assert.equal(combined.error, combined.pi! - Math.PI);
  });

  it('estimates from the points of the tasks that succeeded', () => {
    const results = [0, 2].map((task) => ({ task, value: 75 }));
    const { samples, pi } = monteCarloPi.combine(results, { count: 3, samples: 100, seed: 1 });
    assert.deepEqual([samples, pi], [200, 3]);
  });

  it('claims nothing about pi when none did', () => {
    const none = monteCarloPi.combine([], { count: 3, samples: 100, seed: 1 });
    assert.deepEqual(none, { samples: 0, inside: 0, pi: null, error: null });
  });
});
