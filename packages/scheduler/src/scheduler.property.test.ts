/**
 * Random histories of a cluster. Every step is audited (testing/model-cluster.ts, testing/ledger.ts); then the faults
 * stop, and every run has to end. A failure prints the seed and the path that replay it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { anyCommand, Drill } from './testing/drill.ts';
import { replay } from './testing/model-cluster.ts';

describe('whatever happens to a cluster', () => {
  it('every step keeps I1 to I5, and every run ends once the faults stop (I7)', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 120, size: 'max' }), (commands) => {
        const drill = new Drill();
        for (const command of commands) drill.carryOut(command);
        drill.settle();
      }),
      { numRuns: 300 },
    );
  });

  it('the same events give the same effects, byte for byte (I8)', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 80, size: 'max' }), (commands) => {
        const drill = new Drill();
        for (const command of commands) drill.carryOut(command);
        const { story, told } = drill.cluster;
        assert.deepEqual(replay(story), told);
      }),
      { numRuns: 100 },
    );
  });
});
