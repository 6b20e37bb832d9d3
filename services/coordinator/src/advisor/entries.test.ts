import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planRun } from '../cli/run-options.ts';
import type { NodeView } from '../cli/views.ts';
import { entriesFor, totalCores, unrun } from './entries.ts';

const node = (id: string, machine: string, cores: number): NodeView => ({
  id,
  state: 'alive',
  limits: [],
  address: '',
  pid: 1,
  runtime: '',
  version: '',
  hostname: machine,
  machine,
  cores,
  osCores: cores,
  quota: cores,
  quotaLimited: false,
  memoryBytes: 0,
  lanes: cores,
  busyLanes: 0,
  rssBytes: 0,
  hosts: 0,
  throttledMs: 0,
  metricsAddress: '',
  queueComplaint: '',
  clockOffsetMs: null,
  clockRoundTripMs: 0,
  protocol: 1,
  lastSeenMs: 0,
});

const base = (kind: 'cpu' | 'io') => ({ ...planRun('noop', { policy: 'awf', retries: 0 }).spec, kind });
const named = (kind: 'cpu' | 'io', nodes: readonly NodeView[]) =>
  entriesFor(base(kind), nodes, undefined).map((entry) => `${entry.model} ${entry.nodes}`);
const aloneIo = ['serial 1', 'async 1', 'async 1', 'threads 1', 'threads 1', 'processes 1', 'hybrid 1'];
const alone = ['serial 1', 'async 1', 'threads 1', 'processes 1', 'hybrid 1'];

describe('the cores of a cluster', () => {
  it('are those of all its machines', () => {
    assert.equal(totalCores([node('a', 'm1', 4), node('b', 'm2', 8)]), 12);
  });

  it('are counted once where nodes share a machine', () => {
    assert.equal(totalCores([node('a', 'm1', 4), node('b', 'm1', 4), node('c', 'm2', 2)]), 6);
  });

  it('are those of the largest node where nodes of a machine differ', () => {
    assert.equal(totalCores([node('a', 'm1', 2), node('b', 'm1', 4)]), 4);
  });
});

describe('with one node', () => {
  it('has each model race on it, serial first', () => {
    assert.deepEqual(named('cpu', [node('a', 'm1', 4)]), alone);
  });
});

describe('with several nodes', () => {
  it('has processes and threads race on all of them besides', () => {
    const nodes = [node('a', 'm1', 4), node('b', 'm2', 4)];
    assert.deepEqual(named('cpu', nodes), [...alone, 'processes 2', 'threads 2']);
  });

  it('has async race on all of them where work waits', () => {
    const nodes = [node('a', 'm1', 4), node('b', 'm2', 4)];
    assert.deepEqual(named('io', nodes), [...aloneIo, 'async 2', 'processes 2', 'threads 2']);
  });

  it('leaves out threads where each has one core', () => {
    assert.deepEqual(named('cpu', [node('a', 'm1', 1), node('b', 'm2', 1)]), [...alone, 'processes 2']);
  });
});

describe('work that waits', () => {
  const nodes = [node('a', 'm1', 4)];
  const shapes = (concurrency?: number): string[] =>
    entriesFor(base('io'), nodes, concurrency).map(({ model, spec: { shape } }) => {
      return `${model} ${shape.processes}×${shape.threads}×${shape.concurrency}`;
    });

  it('has more threads than cores race, and more in flight on one thread than that', () => {
    const wide = ['serial 1×1×1', 'async 1×1×64', 'async 1×1×512', 'threads 1×0×1', 'threads 1×64×1'];
    assert.deepEqual(shapes().slice(0, wide.length), wide);
  });

  it('has as much in flight on one thread as was asked for, and no other', () => {
    assert.deepEqual(shapes(7).slice(0, 3), ['serial 1×1×1', 'async 1×1×7', 'threads 1×0×1']);
  });

  it('that is not run would take as long as its lanes make it, with as many as there are cores where it says none', () => {
    const spec = { ...base('io'), tasks: 1_000 };
    const about = (model: 'serial' | 'threads' | 'async', on: number, shape: [number, number, number]) => {
      const [processes, threads, concurrency] = shape;
      const entry = { model, nodes: on, spec: { ...spec, shape: { processes, threads, concurrency } } };
      return unrun(entry, nodes, 50);
    };
    assert.equal(about('serial', 1, [1, 1, 1]).aboutMs, 50_000);
    const threads = about('threads', 2, [1, 0, 1]);
    assert.deepEqual([threads.shape.threads, threads.aboutMs], [4, 6_250]);
    assert.equal(about('async', 1, [1, 1, 4_000]).aboutMs, 50, 'no less than one task');
  });
});

describe('a concurrency that was asked for', () => {
  it('goes to the models that have one', () => {
    const entries = entriesFor(base('io'), [node('a', 'm1', 4)], 7);
    const concurrencies = entries.map(({ model, spec }) => [model, spec.shape.concurrency]);
    assert.deepEqual(Object.fromEntries(concurrencies), { serial: 1, async: 7, threads: 1, processes: 1, hybrid: 7 });
  });
});
