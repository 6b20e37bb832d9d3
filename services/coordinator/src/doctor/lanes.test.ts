import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeView, runView } from '../cli/render/testing/views.ts';
import type { NodeView, RunView } from '../cli/views.ts';
import type { Finding } from './finding.ts';
import { judgeLanes } from './lanes.ts';

const judge = (over: Partial<NodeView>, runs: readonly RunView[] = [], throttledMs = 0): Finding =>
  judgeLanes(nodeView(over), runs, throttledMs);
const HALF = { osCores: 8, quota: 0.5, quotaLimited: true };

/** One that has ended a task on n1. */
function run(processes: number, threads: number, concurrency: number, over: Partial<RunView> = {}): RunView {
  const shape = { processes, threads, concurrency };
  return runView({ state: 'running', ...over }, { nodes: [{ node: 'n1', tasks: 1, chunks: 1, hosts: 1, shape }] });
}

describe('the lanes that a node works with', () => {
  it('are as many as its cores', () => {
    const found = judge({ cores: 1 });
    assert.deepEqual([found.name, found.level, found.what], ['n1 lanes', 'ok', '1 lane on 2 cores']);
  });

  it('are wrong where its machine has fewer cores, or its quota allows fewer', () => {
    const tooMany = judge({ cores: 8 });
    assert.deepEqual([tooMany.level, tooMany.what], ['wrong', '8 lanes on 2 cores: they hold each other up']);
    const squeezed = judge({ ...HALF, cores: 8 });
    assert.equal(squeezed.what, '8 lanes on a quota of 0.5 of 8 cores: they hold each other up');
    assert.match(squeezed.mend!, /--cores 1 /);
  });

  it('may be one on a quota of half a core', () => {
    assert.equal(judge({ ...HALF, cores: 1 }).level, 'ok');
  });

  it('are warned of where the last one has only part of a core', () => {
    assert.equal(judge({ ...HALF, quota: 2.5, cores: 3 }).level, 'warning');
    assert.equal(judge({ ...HALF, quota: 2.5, cores: 2 }).level, 'ok');
  });

  it('are warned of where the quota holds them back just now', () => {
    const held = judge({ ...HALF, cores: 1 }, [], 300);
    assert.deepEqual([held.level, /held it back for 300 ms just now$/.test(held.what)], ['warning', true]);
  });
});

describe('the lanes of a run on a node', () => {
  it('are warned of where they are more than its quota allows', () => {
    const found = judge({ ...HALF, cores: 1 }, [run(2, 1, 1, { runId: 'run-a' }), run(2, 3, 1, { runId: 'run-b' })]);
    assert.equal(found.level, 'warning');
    assert.equal(found.what, '1 lane on a quota of 0.5 of 8 cores, and run-b has 6 there: they hold each other up');
    assert.match(found.mend!, /--processes and --threads/);
  });

  it('may be many in flight in one thread, and as many as there is room for', () => {
    assert.equal(judge({ ...HALF, cores: 1 }, [run(1, 1, 500)]).level, 'ok');
    assert.equal(judge({}, [run(2, 1, 1)]).level, 'ok');
  });

  it('are none of a run of I/O, of one that has ended, and on another node', () => {
    const io = run(8, 1, 1);
    for (const other of [{ ...io, spec: { ...io.spec, kind: 'io' as const } }, run(8, 1, 1, { state: 'succeeded' })])
      assert.equal(judge({}, [other]).level, 'ok');
    assert.equal(judge({ id: 'n2' }, [run(8, 1, 1)]).level, 'ok');
  });
});
