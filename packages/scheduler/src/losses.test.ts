import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs, jitterOf } from './backoff.ts';
import { limits } from './limits.ts';
import { judge } from './losses.ts';
import type { Chunk } from './run.ts';

const NOW = 1_000;
const SEED = 7;
const died = { code: 'HOST_DIED', message: 'killed by SIGKILL' };
const nodeLost = { code: 'NODE_LOST', message: 'no heartbeat' };

const chunk = (from: number, to: number, past: Partial<Chunk> = {}): Chunk => ({
  from,
  to,
  attempt: 1,
  failures: 0,
  nodeLosses: 0,
  alone: false,
  ...past,
});
const again = (from: number, to: number, past: Partial<Chunk> = {}, notBefore = NOW) => ({
  ...chunk(from, to, { attempt: 2, ...past }),
  notBefore,
});

/** The wait after the first attempt on a chunk that begins with the task. */
const backoffOf = (task: number, times: number): number => backoffMs(times, jitterOf(SEED, task, 1));

describe('a chunk that died of its own work', () => {
  it('is tried again in halves', () => {
    const { again: halves, givenUp } = judge(chunk(0, 5), 'work', died, { retries: 0, seed: SEED }, NOW);
    assert.deepEqual(halves, [again(0, 3), again(3, 5)]);
    assert.equal(givenUp, undefined);
  });

  it('is suspected once it is one task, and tried alone before it is blamed', () => {
    assert.deepEqual(judge(chunk(4, 5), 'work', died, { retries: 0, seed: SEED }, NOW).again, [
      again(4, 5, { alone: true }),
    ]);
    const { again: none, givenUp } = judge(chunk(4, 5, { alone: true }), 'work', died, { retries: 0, seed: SEED }, NOW);
    assert.deepEqual(none, []);
    assert.equal(givenUp?.from, 4);
  });

  it('is tried around the culprit where the node knows it', () => {
    const verdict = judge(chunk(0, 5), 'work', { ...died, culprit: 2 }, { retries: 0, seed: SEED }, NOW);
    assert.deepEqual(verdict.again, [again(0, 2), again(3, 5)]);
    assert.deepEqual([verdict.givenUp?.from, verdict.givenUp?.to], [2, 3]);
  });

  it('gives its culprit the retries of a failed task, after a backoff', () => {
    const verdict = judge(
      chunk(2, 3, { failures: 1 }),
      'work',
      { ...died, culprit: 2 },
      { retries: 2, seed: SEED },
      NOW,
    );
    assert.deepEqual(verdict.again, [again(2, 3, { failures: 2 }, NOW + backoffOf(2, 1))]);
  });

  it('is halved where the culprit named is none of its tasks', () => {
    for (const culprit of [-1, 5, 2.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.deepEqual(judge(chunk(0, 5), 'work', { ...died, culprit }, { retries: 0, seed: SEED }, NOW).again, [
        again(0, 3),
        again(3, 5),
      ]);
    }
  });
});

describe('a chunk that was lost with its node', () => {
  it('is tried again at once, whole, as long as that may be chance', () => {
    for (let nodeLosses = 0; nodeLosses < limits.nodeLossesPerChunkMax; nodeLosses++) {
      const verdict = judge(chunk(0, 5, { nodeLosses }), 'node-gone', nodeLost, { retries: 0, seed: SEED }, NOW);
      assert.deepEqual(verdict.again, [again(0, 5, { nodeLosses: nodeLosses + 1 })]);
    }
  });

  it('is halved from then on, and given up where it is one task', () => {
    const nodeLosses = limits.nodeLossesPerChunkMax;
    const { again: halves } = judge(
      chunk(0, 2, { nodeLosses }),
      'node-gone',
      nodeLost,
      { retries: 0, seed: SEED },
      NOW,
    );
    assert.deepEqual(halves, [
      again(0, 1, { nodeLosses: nodeLosses + 1 }),
      again(1, 2, { nodeLosses: nodeLosses + 1 }),
    ]);
    assert.equal(
      judge(chunk(0, 1, { nodeLosses }), 'node-gone', nodeLost, { retries: 0, seed: SEED }, NOW).givenUp?.from,
      0,
    );
  });
});

describe('a chunk that its node let go of for the sake of another', () => {
  it('is tried again after a moment, and nothing is held against it', () => {
    const verdict = judge(
      chunk(0, 1, { nodeLosses: limits.nodeLossesPerChunkMax }),
      'let-go',
      nodeLost,
      { retries: 0, seed: SEED },
      NOW,
    );
    assert.deepEqual(verdict.again, [again(0, 1, { nodeLosses: limits.nodeLossesPerChunkMax }, NOW + backoffOf(0, 0))]);
    assert.equal(verdict.givenUp, undefined);
  });

  it('counts as lost when that goes on and on', () => {
    const attempt = limits.innocentAttemptsPerChunkMax;
    const verdict = judge(chunk(0, 5, { attempt }), 'let-go', nodeLost, { retries: 0, seed: SEED }, NOW);
    assert.equal(verdict.again[0]!.nodeLosses, 1);
  });
});

describe('a chunk that its node left tasks out of', () => {
  it('waits, so that the same node is not handed it again at once', () => {
    const verdict = judge(chunk(0, 5, { nodeLosses: 1 }), 'left-out', nodeLost, { retries: 0, seed: SEED }, NOW);
    assert.deepEqual(verdict.again, [again(0, 5, { nodeLosses: 2 }, NOW + backoffOf(0, 1))]);
  });
});
