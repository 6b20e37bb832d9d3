import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Sandbox } from './cluster.ts';

const ENTRY_KEYS = [
  'model',
  'nodes',
  'shape',
  'transport',
  'wallMs',
  'speedup',
  'efficiency',
  'cpuMs',
  'overheadMs',
  'peakRssBytes',
  'callerStallMs',
  'resultDigest',
  'valid',
  'notes',
];
interface Entry {
  readonly model: string;
  readonly nodes: number;
  readonly shape: { processes: number; threads: number; concurrency: number };
  readonly wallMs: { median: number; min: number; max: number; runs: number };
  readonly overheadMs: object;
  readonly speedup: number;
  readonly resultDigest: string;
  readonly valid: boolean;
  readonly notes: string[];
}

describe('race number-cruncher --json', () => {
  it('prints one object of the documented shape, with one digest, a baseline and a verdict on a row', async () => {
    await using sandbox = new Sandbox();
    const inputs = ['--set', 'n=200_000', '--set', 'count=8', '--repeat', '2'];
    const { code, stdout, stderr } = await sandbox.regatta(['race', 'number-cruncher', ...inputs, '--json']);
    assert.equal(code, 0, stderr);
    await sandbox.nothingLeft(500);
    const race = JSON.parse(stdout);
    assert.deepEqual(Object.keys(race), ['workload', 'kind', 'tasks', 'cluster', 'entries', 'leftOut', 'verdict']);
    assert.deepEqual([race.workload, race.kind, race.tasks], ['number-cruncher', 'cpu', 8]);
    assert.deepEqual(Object.keys(race.cluster), ['nodes', 'cores']);
    assert.equal(race.cluster.cores.length, race.cluster.nodes);
    const entries = race.entries as Entry[];
    for (const entry of entries) {
      assert.deepEqual(Object.keys(entry), ENTRY_KEYS);
      assert.deepEqual(Object.keys(entry.shape), ['processes', 'threads', 'concurrency']);
      assert.deepEqual(Object.keys(entry.wallMs), ['median', 'min', 'max', 'runs']);
      assert.deepEqual(Object.keys(entry.overheadMs), ['dispatch', 'serialize', 'wait']);
      const { median, min, max, runs } = entry.wallMs;
      assert.ok(min <= median && median <= max);
      assert.equal(runs, 2);
      assert.ok(entry.valid, entry.notes.join());
    }
    const alone = entries.filter(({ nodes }) => nodes === 1).map(({ model }) => model);
    assert.deepEqual(alone, ['serial', 'async', 'threads', 'processes', 'hybrid']);
    assert.ok(entries.some(({ nodes }) => nodes === 2));
    assert.equal(entries[0]!.speedup, 1);
    assert.equal(new Set(entries.map(({ resultDigest }) => resultDigest)).size, 1);
    assert.deepEqual(Object.keys(race.verdict), ['model', 'nodes', 'shape', 'why']);
    const { model, nodes } = race.verdict;
    assert.ok(entries.some((entry) => entry.model === model && entry.nodes === nodes));
    // What stderr shows in a pipe: plain lines.
    assert.ok(!stderr.includes('\x1b'));
    assert.ok(!stderr.includes('\r'));
  });
});
