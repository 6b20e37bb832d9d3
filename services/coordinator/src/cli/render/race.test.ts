import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EntryResult } from '../../advisor/measure.ts';
import type { RaceResult } from '../../advisor/race.ts';
import { raceText } from './race.ts';

const entry: EntryResult = {
  model: 'async',
  nodes: 1,
  shape: { processes: 1, threads: 1, concurrency: 64 },
  transport: 'nats',
  wallMs: { median: 1_000, min: 900, max: 1_100, runs: 2 },
  speedup: 100,
  efficiency: 100,
  cpuMs: 0,
  overheadMs: { dispatch: 0, serialize: 0, wait: 0 },
  peakRssBytes: 0,
  callerStallMs: 0,
  resultDigest: 'd',
  valid: true,
  notes: [],
};
const race: RaceResult = {
  workload: 'web-scraper',
  kind: 'io',
  tasks: 2_000,
  cluster: { nodes: 1, cores: [2] },
  entries: [entry],
  leftOut: [],
  verdict: null,
};

describe('a race in words', () => {
  it('says how chunks travelled where that was over NATS', () => {
    assert.match(raceText(race), /^web-scraper, 2,000 tasks, median of 2 runs, over NATS; 1 node with 2 cores\n/);
    assert.doesNotMatch(raceText({ ...race, entries: [{ ...entry, transport: 'grpc' }] }), /NATS/);
  });

  it('says what was not run, and what it would have taken', () => {
    const shape = { processes: 1, threads: 1, concurrency: 1 };
    const serial = { model: 'serial', nodes: 1, shape, aboutMs: 100_000 } as const;
    const processes = { model: 'processes', nodes: 2, shape: { ...shape, processes: 2 }, aboutMs: 25_000 } as const;
    const told = [
      'Not run, for what they would take by the first tasks:',
      '  serial 1×1×1: about 100.0 s, which speedups refer to',
      '  processes 2×1×1 on 2 nodes: about 25.0 s',
      '',
    ].join('\n');
    assert.ok(raceText({ ...race, leftOut: [serial, processes] }).includes(`\n\n${told}`));
    assert.doesNotMatch(raceText(race), /Not run/);
  });

  it('names what is not valid by its shape where another has its model', () => {
    const wide = { ...entry, shape: { ...entry.shape, concurrency: 512 }, valid: false, notes: ['throttled'] };
    assert.match(raceText({ ...race, entries: [entry, wide] }), /\nNot valid:\n {2}async 1×1×512: throttled\n/);
  });
});
