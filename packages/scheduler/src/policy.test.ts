import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { chunkSize, type PolicyName, type PolicyView, policyNames } from './policy.ts';

/** A view where nothing has been measured and nothing asked for. */
const fresh = { total: 1000, remaining: 1000, lanes: 4, chunk: 0, rate: 0, meanRate: 0, bytesPerTask: 0 };
/** One where every node does `perMs` tasks a ms on each lane. */
const measured = (perMs: number): PolicyView => ({ ...fresh, rate: perMs, meanRate: perMs });

/** All chunks of a run, each taken with the same knowledge of speed. */
function chunksOf(policy: PolicyName, view: PolicyView): number[] {
  const sizes: number[] = [];
  for (let remaining = view.total; remaining > 0; remaining -= sizes.at(-1)!) {
    sizes.push(chunkSize(policy, { ...view, remaining }));
  }
  return sizes;
}

const times = (count: number, size: number): number[] => new Array<number>(count).fill(size);

describe('published chunk sizes, N = 1000 tasks on P = 4 workers', () => {
  const oracles: { source: string; policy: PolicyName; view: PolicyView; sizes: number[] }[] = [
    { source: 'Sun Studio C guide 819-5265, static', policy: 'static', view: fresh, sizes: times(4, 250) },
    {
      source: 'Sun Studio C guide 819-5265, self-scheduling by 120',
      policy: 'self',
      view: { ...fresh, chunk: 120 },
      sizes: [...times(8, 120), 40],
    },
    { source: 'self-scheduling, one at a time (Tang & Yew 1986)', policy: 'self', view: fresh, sizes: times(1000, 1) },
  ];
  for (const { source, policy, view, sizes } of oracles) {
    it(`are those of ${source}`, () => assert.deepEqual(chunksOf(policy, view), sizes));
  }
});

describe('static', () => {
  it('gives the last lane what is left where the lanes do not divide the tasks', () => {
    assert.deepEqual(chunksOf('static', { ...fresh, total: 1003 }), [251, 251, 251, 250]);
    assert.deepEqual(chunksOf('static', { ...fresh, total: 5 }), [2, 2, 1]);
    assert.deepEqual(chunksOf('static', { ...fresh, total: 3 }), [1, 1, 1]);
  });

  it('takes the number of tasks that the run asked for', () => {
    assert.deepEqual(chunksOf('static', { ...fresh, chunk: 400 }), [400, 400, 200]);
  });
});

describe('awf, while nothing is known of the tasks', () => {
  it('probes with a small chunk, however large the run', () => {
    assert.equal(chunkSize('awf', { ...fresh, total: 1e9, remaining: 1e9 }), limits.chunkProbeTasksMax);
  });

  it("probes with an eighth of a lane's part of a small run", () => {
    assert.equal(chunkSize('awf', { ...fresh, remaining: 64 }), 2);
    assert.equal(chunkSize('awf', { ...fresh, remaining: 3 }), 1);
  });
});

describe('awf, once speeds are known', () => {
  it('hands out half of the remainder in one round of equal lanes (Hummel, Schonberg & Flynn 1992)', () => {
    const sizes = chunksOf('awf', measured(1000));
    assert.equal(sizes[0], 125);
    for (let remaining = 1000, i = 0; i < sizes.length; remaining -= sizes[i++]!) {
      assert.equal(sizes[i], Math.ceil(remaining / 8));
    }
  });

  it('makes no chunk last longer than its target time', () => {
    for (const perMs of [0.001, 0.1, 1, 2]) {
      const size = chunkSize('awf', { ...measured(perMs), remaining: 1e6 });
      assert.equal(size, Math.max(1, perMs * limits.chunkTargetMs));
    }
  });

  it('gives a node chunks in proportion to its speed', () => {
    const view = { ...fresh, remaining: 800, meanRate: 100 };
    const [slow, even, fast] = [50, 100, 150].map((rate) => chunkSize('awf', { ...view, rate }));
    assert.deepEqual([slow, even, fast], [50, 100, 150]);
  });

  it('takes the number of tasks that the run asked for as an upper bound', () => {
    assert.equal(chunkSize('awf', { ...measured(1000), chunk: 30 }), 30);
    assert.equal(chunkSize('awf', { ...measured(1000), remaining: 80, chunk: 30 }), 10);
  });
});

describe('every policy', () => {
  it('cuts a chunk by the bytes of its results', () => {
    for (const policy of policyNames) {
      const view = { ...measured(1000), chunk: 500, bytesPerTask: limits.chunkBytesMax / 10 };
      assert.equal(chunkSize(policy, view), 10);
      assert.equal(chunkSize(policy, { ...view, bytesPerTask: 3 * limits.chunkBytesMax }), 1);
    }
  });

  it('gives from one task to all that remain, and never more than the limits allow', () => {
    const anyView = fc.record({
      total: fc.integer({ min: 1, max: limits.tasksPerRunMax }),
      lanes: fc.integer({ min: 1, max: 100_000 }),
      chunk: fc.nat(1_000_000),
      rate: fc.double({ min: 0, max: 1e9, noNaN: true }),
      meanRate: fc.double({ min: 0, max: 1e9, noNaN: true }),
      bytesPerTask: fc.double({ min: 0, max: 1e12, noNaN: true }),
      remainingPart: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...policyNames), anyView, (policy, { remainingPart, ...view }) => {
        const remaining = Math.max(1, Math.floor(view.total * remainingPart));
        const size = chunkSize(policy, { ...view, remaining });
        assert.ok(Number.isSafeInteger(size), `${size} is not a number of tasks`);
        assert.ok(size >= 1 && size <= remaining && size <= limits.chunkTasksMax);
        if (size > 1) assert.ok(size * view.bytesPerTask <= limits.chunkBytesMax);
      }),
    );
  });
});
