import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Registry } from '@regatta/observe';
import type { Coordinator } from '../coordinator.ts';
import { Engine } from '../engine/engine.ts';
import { FakeNode } from '../engine/testing/fake-node.ts';
import { requestFor } from '../engine/testing/runs.ts';
import { limits } from './limits.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { readAll } from './readings.ts';
import { targetsAnswer } from './service-discovery.ts';

let engine: Engine;
let metrics: Metrics;

beforeEach(() => {
  metrics = createMetrics(new Registry());
  engine = new Engine({ spillDirectory: '/nowhere', noProgressMs: 60_000, onBroken: () => {}, onStuck: () => {} });
});
afterEach(() => engine.end('the test is over'));

/** What it reads of a coordinator. */
const as = (over: Partial<Coordinator> = {}): Coordinator =>
  ({
    leading: engine,
    role: 'leading',
    termNumber: 0,
    takeOverMs: 0,
    figures: undefined,
    natsUp: undefined,
    ...over,
  }) as Coordinator;

type Gauge = { get(): Promise<{ values: readonly { value: number; labels: object }[] }> };
const valuesOf = async (gauge: Gauge): Promise<[object, number][]> =>
  (await gauge.get()).values.map(({ labels, value }) => [labels, value]);

describe('at a scrape', () => {
  it('lanes and chunks are told of nodes that are there, and of no others', async () => {
    const node = new FakeNode(engine, 'a', 2);
    new FakeNode(engine, 'b', 2);
    const shape = { processes: 2, threads: 1, concurrency: 1 };
    engine.submit(requestFor({ tasks: 2, policy: 'self', chunk: 1, nodes: 1, shape }));
    readAll(metrics, as());
    assert.deepEqual(await valuesOf(metrics.nodeLanes), [
      [{ node: 'a' }, 2],
      [{ node: 'b' }, 2],
    ]);
    assert.equal(
      (await valuesOf(metrics.nodeChunks)).reduce((sum, [, chunks]) => sum + chunks, 0),
      2,
    );
    engine.lost('a', node.incarnation, 'it burnt down');
    readAll(metrics, as());
    for (const gauge of [metrics.nodeLanes, metrics.nodeCores, metrics.nodeSilence, metrics.nodeChunks]) {
      assert.deepEqual(
        (await valuesOf(gauge)).map(([labels]) => labels),
        [{ node: 'b' }],
      );
    }
    const states = new Map((await valuesOf(metrics.nodes)).map(([labels, nodes]) => [Object.values(labels)[0], nodes]));
    assert.deepEqual([states.get('alive'), states.get('lost')], [1, 1]);
  });

  it('what is pending and in flight is told by model and transport', async () => {
    const node = new FakeNode(engine, 'a', 1);
    engine.submit(requestFor({ tasks: 100, policy: 'self', chunk: 1 }));
    const held = node.assigned.length;
    readAll(metrics, as());
    const labels = { model: 'processes', transport: 'grpc' };
    assert.deepEqual(await valuesOf(metrics.tasksInFlight), [[labels, held]]);
    assert.deepEqual(await valuesOf(metrics.tasksPending), [[labels, 100 - held]]);
    node.workOff();
    readAll(metrics, as());
    assert.deepEqual(await valuesOf(metrics.tasksPending), []);
  });

  it('runs have figures of their own while they go on, the newest of them', async () => {
    const ids = Array.from({ length: limits.runsShownMax + 5 }, () => engine.submit(requestFor({ tasks: 1 })));
    readAll(metrics, as());
    const shown = (await valuesOf(metrics.runInfo)).map(([labels]) => (labels as { run: string }).run);
    assert.deepEqual(shown, ids.slice(-limits.runsShownMax));
    for (const id of ids) engine.cancel(id, 'over');
    readAll(metrics, as());
    for (const gauge of [metrics.runInfo, metrics.runTasks, metrics.runNodeTasks, metrics.runCpu, metrics.runSlowest]) {
      assert.deepEqual(await valuesOf(gauge), []);
    }
  });

  it('one that does not lead knows of no runs and no nodes', async () => {
    new FakeNode(engine, 'a');
    readAll(metrics, as({ leading: undefined, role: 'standing-by', natsUp: true }));
    assert.deepEqual(await valuesOf(metrics.nodeInfo), []);
    assert.deepEqual(
      (await valuesOf(metrics.leadership)).filter(([, is]) => is === 1),
      [[{ role: 'standing-by' }, 1]],
    );
    assert.deepEqual(await valuesOf(metrics.natsUp), [[{}, 1]]);
  });
});

describe('Prometheus', () => {
  const targets = (): unknown => JSON.parse(targetsAnswer(engine.nodes()).body as string);

  it('is told of nodes that serve metrics, each with its name', () => {
    assert.deepEqual(targets(), []);
    new FakeNode(engine, 'silent');
    const node = new FakeNode(engine, 'a');
    const record = engine.nodes().find(({ introduction }) => introduction.nodeId === 'a')!;
    Object.assign(record.introduction, { metricsAddress: 'host-a:7422' });
    assert.deepEqual(targets(), [{ targets: ['host-a:7422'], labels: { node: 'a' } }]);
    engine.lost('a', node.incarnation, 'it burnt down');
    assert.deepEqual(targets(), []);
  });
});
