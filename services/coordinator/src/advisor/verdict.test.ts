import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EntryResult } from './measure.ts';
import { judge } from './verdict.ts';

const MIB = 1_048_576;

function entry(model: string, medianMs: number, over: Partial<EntryResult> = {}): EntryResult {
  return {
    model,
    nodes: 1,
    shape: { processes: 1, threads: 1, concurrency: 1 },
    transport: 'grpc',
    wallMs: { median: medianMs, min: medianMs, max: medianMs, runs: 5 },
    speedup: 1000 / medianMs,
    efficiency: 0.5,
    cpuMs: 0,
    overheadMs: { dispatch: 0, serialize: 0, wait: 0 },
    peakRssBytes: 50 * MIB,
    callerStallMs: 0,
    resultDigest: 'same',
    valid: true,
    notes: [],
    ...over,
  };
}

const winner = (...entries: EntryResult[]) => judge(entries, 'cpu', 4)?.model;
const why = (...entries: EntryResult[]) => judge(entries, 'cpu', 4)?.why ?? assert.fail('no verdict');

describe('where nothing can be said', () => {
  it('gives no verdict when results differ, even those of an entry that is not valid', () => {
    assert.equal(winner(entry('serial', 1000), entry('threads', 300, { resultDigest: 'other' })), undefined);
    const invalid = entry('threads', 300, { resultDigest: 'other', valid: false });
    assert.equal(judge([entry('serial', 1000), invalid], 'cpu', 4), null);
  });

  it('gives no verdict when no entry is valid', () => {
    assert.equal(judge([entry('serial', 1000, { valid: false })], 'cpu', 4), null);
    assert.equal(judge([], 'cpu', 4), null);
  });
});

describe('where one is fastest', () => {
  it('names it, with the next and how much slower that is', () => {
    const text = why(entry('serial', 1000), entry('processes', 250), entry('threads', 300));
    assert.match(text, /^250 ms, 4\.00× serial on 4 cores \(efficiency 0\.50\); next is threads, 20% slower$/);
  });

  it('passes over a faster one that is not valid', () => {
    assert.equal(winner(entry('serial', 1000), entry('threads', 100, { valid: false })), 'serial');
  });

  it('says where the common rule is wrong', () => {
    const entries = [entry('async', 100), entry('threads', 50)];
    assert.match(judge(entries, 'io', 4)!.why, /the common rule for io work says async: not here/);
    assert.doesNotMatch(judge(entries.slice(0, 1), 'io', 4)!.why, /common rule/);
  });

  it('tells how long serial blocks its loop where that is more than twice as long', () => {
    const stalls = (ms: number) =>
      why(entry('serial', 1000, { callerStallMs: ms }), entry('processes', 250, { callerStallMs: 5 }));
    assert.match(stalls(40), /serial blocks its event loop 40 ms at a time, this one 5\.0 ms/);
    assert.doesNotMatch(stalls(10), /blocks/);
  });
});

describe('work that waits', () => {
  const wide = (model: string, ms: number, threads: number, concurrency: number) =>
    entry(model, ms, { shape: { processes: 1, threads, concurrency } });

  it('says what the most threads came to, beside one thread with more in flight', () => {
    const entries = [wide('async', 90, 1, 64), wide('async', 40, 1, 512), wide('threads', 100, 32, 1)];
    const text = judge(entries, 'io', 4)!.why;
    assert.match(text, /32 threads took 100 ms and 50\.0 MiB, one with 512 tasks in flight 40 ms and 50\.0 MiB$/);
    assert.match(text, /next is async 1×1×64, 125% slower/, 'told apart by their shapes');
  });

  it('does not where there were as many threads', () => {
    const text = judge([wide('async', 90, 1, 32), wide('threads', 100, 32, 1)], 'io', 4)!.why;
    assert.doesNotMatch(text, /threads took/);
  });
});

describe('where some are within 3% of the fastest', () => {
  it('prefers the simpler', () => {
    assert.equal(winner(entry('hybrid', 1000), entry('processes', 1010), entry('threads', 1030)), 'threads');
    assert.equal(winner(entry('processes', 1000), entry('threads', 1031)), 'processes');
  });

  it('prefers fewer nodes to a simpler model', () => {
    const together = entry('threads', 1000, { nodes: 2 });
    assert.equal(winner(together, entry('hybrid', 1020)), 'hybrid');
    assert.match(why(together, entry('hybrid', 1020)), /threads on 2 nodes within 3%, and hybrid is the simplest/);
  });

  it('tells the memory that the winner saves', () => {
    const large = entry('processes', 1000, { peakRssBytes: 200 * MIB });
    assert.match(why(large, entry('threads', 1010)), /50\.0 MiB of memory against 200 MiB for processes/);
    assert.doesNotMatch(why(entry('processes', 1000), entry('threads', 1010)), /memory/);
  });
});
