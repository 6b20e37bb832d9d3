import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { pack } from '@regatta/workloads';
import { NO_TIMING, type Outcome } from '../hosts/work.ts';
import { limits } from '../limits.ts';
import { Outbox } from './outbox.ts';

let held: boolean[];
let outbox: Outbox;

beforeEach(() => {
  held = [];
  outbox = new Outbox((on) => held.push(on));
});

const outcome = (attemptId: number, bytes = 1): Outcome => ({
  ...{ attemptId, runId: 'r', from: 0, to: 1, failures: [], timing: NO_TIMING },
  results: pack([new Uint8Array(bytes)]),
  end: { kind: 'completed' },
});
const add = (...attemptIds: number[]): void => {
  for (const attemptId of attemptIds) outbox.add(outcome(attemptId));
};
const take = (keep: boolean): number[] => outbox.take(keep).map(({ attemptId }) => attemptId);
const late = { runId: 'r', task: 0, message: 'late', stack: '' };

describe('what is to be told', () => {
  it('is taken in its order, and gone then where nobody acknowledges', () => {
    add(1, 2, 3);
    assert.ok(outbox.waits && outbox.bytes > 0);
    assert.deepEqual(take(false), [1, 2, 3]);
    assert.deepEqual([outbox.waits, outbox.empty, outbox.bytes, outbox.attempts], [false, true, 0, []]);
  });

  it('is taken in parts that a frame holds, though each is one outcome at least', () => {
    for (const attemptId of [1, 2, 3]) outbox.add(outcome(attemptId, limits.reportBytes));
    assert.deepEqual([take(false), take(false), take(false)], [[1], [2], [3]]);
    assert.deepEqual(take(false), []);
  });

  it('has room for so many failures that came late, and no more', () => {
    for (let i = 0; i < limits.lateFailuresMax; i++) assert.equal(outbox.addLate(late), true);
    assert.equal(outbox.addLate(late), false);
    assert.ok(outbox.waits && !outbox.empty);
    assert.equal(outbox.takeLate().length, limits.lateFailuresMax);
    assert.ok(outbox.empty);
  });
});

describe('where it is acknowledged', () => {
  it('is kept until then, and counted until then', () => {
    add(1, 2, 3, 4);
    assert.deepEqual(take(true), [1, 2, 3, 4]);
    assert.deepEqual([outbox.waits, outbox.empty, outbox.attempts], [false, false, [1, 2, 3, 4]]);
    const before = outbox.bytes;
    outbox.acknowledge(1);
    assert.deepEqual([outbox.attempts, outbox.bytes], [[2, 3, 4], (3 * before) / 4]);
    // Said again, it is no news.
    outbox.acknowledge(1);
    assert.deepEqual(outbox.attempts, [2, 3, 4]);
    outbox.acknowledge(3);
    assert.deepEqual(outbox.attempts, [4]);
    outbox.acknowledge(4);
    assert.deepEqual([outbox.empty, outbox.bytes], [true, 0]);
  });

  it('is told anew on a new connection, before what is new, and acknowledgements begin anew', () => {
    add(1, 2);
    take(true);
    outbox.acknowledge(1);
    add(3);
    outbox.startAnew();
    assert.deepEqual(take(true), [2, 3]);
    outbox.acknowledge(1);
    assert.deepEqual(outbox.attempts, [3]);
  });

  it('is forgotten, all of it, where whom it was for is gone for good', () => {
    add(1, 2);
    take(true);
    add(3);
    outbox.addLate(late);
    outbox.clear();
    assert.deepEqual([outbox.empty, outbox.bytes, outbox.attempts], [true, 0, []]);
  });
});

describe('more bytes than it may have', () => {
  const part = limits.outboxBytesMax / 8;

  it('hold up whoever makes outcomes, until half of them are told', () => {
    for (let i = 0; i < 8; i++) outbox.add(outcome(i, part));
    assert.equal(held.at(-1), true);
    let told = 0;
    while (held.at(-1) === true && outbox.waits) told += take(false).length;
    assert.ok(told >= 4 && told < 8 && outbox.bytes <= limits.outboxBytesMax / 2, `after ${told}`);
  });

  it('are more as long as they are not acknowledged', () => {
    for (let i = 0; i < 8; i++) outbox.add(outcome(i, part));
    while (outbox.waits) take(true);
    assert.equal(held.at(-1), true);
    outbox.acknowledge(8);
    assert.equal(held.at(-1), false);
  });
});
