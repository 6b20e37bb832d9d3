import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { innerScale, runScale, Scale, taskScale } from './scale.ts';

const scales = { taskScale, innerScale, runScale };
/** As one would look for it. */
const searched = ({ boundsUs }: Scale, us: number): number => {
  const bucket = boundsUs.findIndex((bound) => us <= bound);
  return bucket === -1 ? boundsUs.length : bucket;
};

for (const [name, scale] of Object.entries(scales)) {
  describe(name, () => {
    it('puts each bound into its own bucket, and what is a little more into the next', () => {
      for (const [i, bound] of scale.boundsUs.entries()) {
        assert.equal(scale.bucketOf(bound), i);
        assert.equal(scale.bucketOf(bound + 0.25), i + 1);
      }
    });

    it('finds the bucket that a search finds, for any duration', () => {
      const any = fc.double({ min: 0, max: 1e12, noNaN: true });
      fc.assert(fc.property(any, (us) => scale.bucketOf(us) === searched(scale, us)));
    });

    it('counts many as it counts each', () => {
      const durations = fc.uint32Array({ maxLength: 200 });
      fc.assert(
        fc.property(durations, (us) => {
          const counts = new Float64Array(scale.buckets);
          scale.countAll(us, counts);
          const expected = new Float64Array(scale.buckets);
          for (const one of us) expected[searched(scale, one)]!++;
          assert.deepEqual(counts, expected);
        }),
      );
    });
  });
}

it('the scale of tasks goes from 10 µs to 100 s', () => {
  assert.deepEqual([taskScale.boundsUs[0], taskScale.boundsUs.at(-1)], [10, 100_000_000]);
});

it('a scale whose bounds are too close to each other is refused', () => {
  assert.throws(() => new Scale([1, 1.5]), /too close/);
  assert.throws(() => new Scale([2 ** 33]), /more bits/);
});
