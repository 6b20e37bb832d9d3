import assert from 'node:assert/strict';
import { afterEach, describe, it, mock } from 'node:test';
import { Thread } from './thread.ts';

/** The thread's CPU clock, in microseconds, half of it in the system. */
let cpuUs = 0;
const reads = () => mock.method(process, 'threadCpuUsage', () => ({ user: cpuUs / 2, system: cpuUs / 2 }));

afterEach(() => {
  cpuUs = 0;
  mock.restoreAll();
});

describe('the CPU clock of a thread', () => {
  it('is read once a millisecond at most; in between the thread is taken to be at work', () => {
    const usage = reads();
    const thread = new Thread();
    cpuUs = 500;
    assert.equal(thread.cpuUsAt(1e6), 500);
    const before = usage.mock.callCount();
    cpuUs = 9_000;
    assert.deepEqual([thread.cpuUsAt(1e6 + 0.25), thread.cpuUsAt(1e6 + 0.75)], [750, 1_250]);
    assert.equal(usage.mock.callCount(), before);
    assert.equal(thread.cpuUsAt(1e6 + 1), 9_000);
  });

  it('is read whenever it matters, and what follows counts from there', () => {
    reads();
    const thread = new Thread();
    cpuUs = 4_000;
    assert.equal(thread.readCpuUs(1e6), 4_000);
    assert.equal(thread.cpuUsAt(1e6 + 0.5), 4_500);
  });
});

describe('CPU time that no news has told of', () => {
  it('is told once, from the beginning of the thread on', () => {
    reads();
    cpuUs = 1_000;
    const thread = new Thread();
    assert.deepEqual(
      [1_400, 1_400, 2_000].map((us) => thread.takeUnreportedCpuUs(us)),
      [400, 0, 600],
    );
  });

  it('is the thread’s own', () => {
    const thread = new Thread();
    const from = thread.readCpuUs(performance.now());
    let us = 0;
    // Some kernels count in ticks, and on a loaded machine the thread has less than all of the time.
    for (const giveUpAt = performance.now() + 8_000; us === 0 && performance.now() < giveUpAt; ) {
      us = thread.readCpuUs(performance.now()) - from;
    }
    assert.ok(us > 0, `${us} µs`);
  });
});
