import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Registry } from '@regatta/observe';
import type { Coordinator } from '../coordinator.ts';
import { Engine } from '../engine/engine.ts';
import type { NodeRecord } from '../engine/fleet.ts';
import { FakeNode } from '../engine/testing/fake-node.ts';
import { requestFor } from '../engine/testing/runs.ts';
import { limits } from './limits.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { readAll } from './readings.ts';
import { discoveryAnswer } from './service-discovery.ts';
import { Throttling } from './throttling.ts';

let engine: Engine;
let metrics: Metrics;

beforeEach(() => {
  metrics = createMetrics(new Registry());
  engine = new Engine({ spillDirectory: '/nowhere', noProgressMs: 60_000, onBroken: () => {}, onStuck: () => {} });
});
afterEach(() => engine.end('the test is over'));

const recordOf = (nodeId: string): NodeRecord =>
  engine.nodes().find(({ introduction }) => introduction.nodeId === nodeId)!;

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
    readAll(metrics, new Throttling(), as());
    assert.deepEqual(await valuesOf(metrics.nodeLanes), [
      [{ node: 'a' }, 2],
      [{ node: 'b' }, 2],
    ]);
    assert.equal(
      (await valuesOf(metrics.nodeChunks)).reduce((sum, [, chunks]) => sum + chunks, 0),
      2,
    );
    engine.roster.lost('a', node.incarnation, 'it burnt down');
    readAll(metrics, new Throttling(), as());
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
    readAll(metrics, new Throttling(), as());
    const labels = { model: 'processes', transport: 'grpc' };
    assert.deepEqual(await valuesOf(metrics.tasksInFlight), [[labels, held]]);
    assert.deepEqual(await valuesOf(metrics.tasksPending), [[labels, 100 - held]]);
    node.workOff();
    readAll(metrics, new Throttling(), as());
    assert.deepEqual(await valuesOf(metrics.tasksPending), []);
  });

  it('runs have figures of their own while they go on, the newest of them', async () => {
    const ids = Array.from({ length: limits.runsShownMax + 5 }, () => engine.submit(requestFor({ tasks: 1 })));
    readAll(metrics, new Throttling(), as());
    const shown = (await valuesOf(metrics.runInfo)).map(([labels]) => (labels as { run: string }).run);
    assert.deepEqual(shown, ids.slice(-limits.runsShownMax));
    for (const id of ids) engine.cancel(id, 'over');
    readAll(metrics, new Throttling(), as());
    for (const gauge of [metrics.runInfo, metrics.runTasks, metrics.runNodeTasks, metrics.runCpu, metrics.runSlowest]) {
      assert.deepEqual(await valuesOf(gauge), []);
    }
  });

  it('one that does not lead knows of no runs and no nodes', async () => {
    new FakeNode(engine, 'a');
    readAll(metrics, new Throttling(), as({ leading: undefined, role: 'standing-by', natsUp: true }));
    assert.deepEqual(await valuesOf(metrics.nodeInfo), []);
    assert.deepEqual(
      (await valuesOf(metrics.leadership)).filter(([, is]) => is === 1),
      [[{ role: 'standing-by' }, 1]],
    );
    assert.deepEqual(await valuesOf(metrics.natsUp), [[{}, 1]]);
  });
});

describe('Prometheus', () => {
  const targets = (): unknown => JSON.parse(discoveryAnswer(as()).body as string);
  const join = (nodeId: string, metricsAddress: string): FakeNode => {
    const node = new FakeNode(engine, nodeId);
    Object.assign(recordOf(nodeId).introduction, { metricsAddress });
    return node;
  };
  const at = (node: string, address: string): unknown => ({ targets: [address], labels: { node } });

  it('is told of nodes that serve metrics, each with its name', () => {
    assert.deepEqual(targets(), []);
    new FakeNode(engine, 'silent');
    join('a', 'host-a:7422');
    assert.deepEqual(targets(), [at('a', 'host-a:7422')]);
  });

  it('is told of one that is awaited, and for a while of one that was lost', () => {
    const { incarnation } = join('a', 'host-a:7422');
    recordOf('a').awaited = true;
    assert.deepEqual(targets(), [at('a', 'host-a:7422')]);
    engine.roster.lost('a', incarnation, 'it burnt down');
    assert.deepEqual(targets(), [at('a', 'host-a:7422')]);
    recordOf('a').lastSeenMs -= limits.lostNodeMs;
    assert.deepEqual(targets(), []);
  });

  it('is told of who is at an address, and not of who was there and is lost', () => {
    const { incarnation } = join('a', 'host:7422');
    engine.roster.lost('a', incarnation, 'it burnt down');
    join('b', 'host:7422');
    assert.deepEqual(targets(), [at('b', 'host:7422')]);
  });

  it('is told of none by one that stands by, and keeps what it knows where nobody can say', () => {
    join('a', 'host-a:7422');
    const standingBy = discoveryAnswer(as({ leading: undefined, role: 'standing-by' }));
    assert.deepEqual([standingBy.status, standingBy.body], [200, '[]']);
    const idle = discoveryAnswer(as({ leading: undefined, role: 'idle', natsUp: true }));
    assert.deepEqual([idle.status, idle.body], [503, 'no coordinator leads yet\n']);
  });
});

describe('the time that a quota held a node back', () => {
  const read = (throttling: Throttling) => throttling.read(engine.nodes());
  const tells = (nodeId: string, throttledMs: number): void => {
    const record = recordOf(nodeId);
    record.pulse = { ...record.pulse, rssBytes: 1, throttledMs };
  };

  it('never falls while the process is the same, though it comes back or says less', () => {
    const throttling = new Throttling();
    const { incarnation } = new FakeNode(engine, 'a');
    assert.deepEqual(read(throttling), []);
    tells('a', 5_000);
    assert.deepEqual(read(throttling), [[{ node: 'a' }, 5]]);
    tells('a', 4_000);
    assert.deepEqual(read(throttling), [[{ node: 'a' }, 5]]);
    engine.roster.lost('a', incarnation, 'it was silent');
    assert.deepEqual(read(throttling), []);
    new FakeNode(engine, 'a');
    assert.deepEqual(read(throttling), [[{ node: 'a' }, 5]]);
    Object.assign(recordOf('a').introduction, { instance: 'another process' });
    assert.deepEqual(read(throttling), []);
    tells('a', 1_000);
    assert.deepEqual(read(throttling), [[{ node: 'a' }, 1]]);
  });
});
