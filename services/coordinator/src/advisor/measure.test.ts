import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planRun } from '../cli/run-options.ts';
import type { AccountingView, NodeView, RunView } from '../cli/views.ts';
import { resultOf, type Sample } from './measure.ts';

const { spec } = planRun('noop', { policy: 'awf', retries: 0 });
const noCosts: AccountingView = {
  cpuMs: 0,
  dispatchMs: 0,
  serializeMs: 0,
  waitMs: 0,
  taskWallMs: 0,
  resultBytes: 0,
  chunks: 0,
  taskRetries: 0,
  lostAttempts: 0,
  copies: 0,
  copiesWon: 0,
  fenced: 0,
  hostRestarts: 0,
  lateFailures: 0,
  peakRssBytes: 0,
  stallMs: 0,
  throttledMs: 0,
  slowest: null,
  nodes: [],
};

type Over = Partial<Omit<RunView, 'accounting'>> & {
  readonly costs?: Partial<AccountingView>;
  readonly digest?: string;
};

function sample(wallMs: number, { costs, digest = 'd', ...over }: Over = {}): Sample {
  const counts = { succeeded: 1000, failed: 0, cancelled: 0, inFlight: 0, pending: 0 };
  const life = { runId: 'r', spec, state: 'succeeded' as const, reason: '', submittedAtMs: 0, failures: [], late: [] };
  return { run: { ...life, ...counts, wallMs, accounting: { ...noCosts, ...costs }, ...over }, digest, warmUp: false };
}

const warmUp = (wallMs: number): Sample => ({ ...sample(wallMs), warmUp: true });
const cluster = (...nodes: [string, number][]) =>
  nodes.map(([machine, cores]) => ({ machine, cores })) as unknown as NodeView[];
const shape = { processes: 4, threads: 1, concurrency: 1 };
const measure = (samples: readonly Sample[], { nodes = 1, serialMs = 1000, on = cluster(['m', 8]) } = {}) =>
  resultOf({ model: 'processes', nodes, spec: { ...spec, shape } }, samples, serialMs, on);

describe('the figures of an entry', () => {
  it('are medians of its runs, and the warm-up is none of them', () => {
    const costs = [5, 1, 3].map((cpuMs, i) => sample([200, 100, 300][i]!, { costs: { cpuMs } }));
    const result = measure([warmUp(9_000), ...costs]);
    assert.deepEqual(result.wallMs, { median: 200, min: 100, max: 300, runs: 3 });
    assert.equal(result.cpuMs, 3);
  });

  it('have the speedup over serial, and that for each busy core as efficiency', () => {
    const { speedup, efficiency } = measure([sample(500)]);
    assert.deepEqual([speedup, efficiency], [2, 0.5]);
  });

  it('count the lanes of all nodes', () => {
    const on = cluster(['m1', 8], ['m2', 8]);
    assert.equal(measure([sample(125)], { nodes: 2, on }).efficiency, 1);
  });

  it('count no more cores than there are, and those that nodes share once', () => {
    assert.equal(measure([sample(500)], { on: cluster(['m', 2]) }).efficiency, 1);
    assert.equal(measure([sample(250)], { nodes: 2, on: cluster(['m', 4], ['m', 4]) }).efficiency, 1);
  });

  it('go by the shape that the node filled in', () => {
    const filled = { processes: 2, threads: 1, concurrency: 1 };
    const nodes = [{ node: 'a', tasks: 1, chunks: 1, hosts: 2, shape: filled }];
    const result = measure([sample(500, { costs: { nodes } })]);
    assert.deepEqual([result.shape, result.efficiency], [filled, 1]);
  });

  it('tell what the first run took more', () => {
    assert.deepEqual(measure([warmUp(350), sample(100)]).notes, ['its first run, not counted, took 250 ms more']);
    assert.deepEqual(measure([warmUp(100), sample(100)]).notes, []);
  });
});

describe('an entry', () => {
  const faults: [string, Sample, RegExp][] = [
    ['a task failed', sample(100, { failed: 1 }), /^1 task did not succeed$/],
    ['tasks were cancelled', sample(100, { cancelled: 2 }), /^2 tasks did not succeed$/],
    ['an attempt was lost', sample(100, { costs: { lostAttempts: 1 } }), /^1 attempt lost/],
    ['a node was throttled', sample(100, { costs: { throttledMs: 40 } }), /^throttled for 40 ms by the CPU quota$/],
    ['its runs differ', sample(100, { digest: 'e' }), /^its own runs gave different results$/],
  ];
  for (const [what, bad, note] of faults) {
    it(`is not valid where ${what}, be it while warming up`, () => {
      for (const samples of [
        [sample(100), bad],
        [{ ...bad, warmUp: true }, sample(100)],
      ]) {
        const { valid, notes } = measure(samples);
        assert.equal(valid, false);
        assert.match(notes.join('\n'), note);
      }
    });
  }

  it('is valid where all went well', () => {
    assert.equal(measure([warmUp(100), sample(100)]).valid, true);
  });
});
