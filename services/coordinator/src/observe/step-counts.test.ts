import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Registry } from '@regatta/observe';
import { encodeValue, pack } from '@regatta/workloads';
import type { Outcome, Timing } from '../engine/bookkeeping.ts';
import { Engine } from '../engine/engine.ts';
import type { RunRequest } from '../engine/run-record.ts';
import { FakeNode } from '../engine/testing/fake-node.ts';
import { requestFor } from '../engine/testing/runs.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { StepCounts } from './step-counts.ts';
import { Works } from './work.ts';

const WORK = { model: 'processes', transport: 'grpc' };

let engine: Engine;
let metrics: Metrics;
let counts: StepCounts;

beforeEach(() => {
  metrics = createMetrics(new Registry());
  const works = new Works(metrics);
  engine = new Engine({
    spillDirectory: '/nowhere',
    noProgressMs: 60_000,
    onBroken: (thrown) => {
      throw thrown;
    },
    onStuck: () => {},
    observe: (insides) => {
      counts = new StepCounts(metrics, works, insides);
      return counts;
    },
  });
});
afterEach(() => {
  assert.equal(counts.unaccounted(), 0);
  engine.end('the test is over');
});

const submit = (over: Partial<RunRequest> = {}): string =>
  engine.submit(requestFor({ policy: 'self', chunk: 1, ...over }));

const ended = (outcome: 'succeeded' | 'failed' | 'cancelled'): number => metrics.tasks.of({ ...WORK, outcome }).value;
const ends = () => [ended('succeeded'), ended('failed'), ended('cancelled')];

const timing = (wallUs: readonly number[], over: Partial<Timing> = {}): Timing => ({
  wallUs: Uint32Array.from(wallUs),
  cpuUs: new Uint32Array(0),
  cpuMs: 2,
  laneMs: 1,
  waitMs: 0,
  serializeMs: 0.02,
  residentMs: 0,
  bytes: 100,
  host: 0,
  hostRssBytes: 0,
  stallMs: 0,
  throttledMs: 0,
  ...over,
});

const failure = (task: number) => ({ task, code: 'TASK_THREW', message: 'no', stack: '' });
const lost = (code: string): Outcome['end'] => ({
  kind: 'lost',
  loss: { code, message: 'gone', exit: undefined, signal: 'SIGKILL', rssBytes: 0, stderrTail: '' },
});

describe('tasks', () => {
  it('are counted as they are submitted and as they end, by model and transport', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 5 });
    assert.equal(metrics.tasksSubmitted.of(WORK).value, 5);
    assert.deepEqual(ends(), [0, 0, 0]);
    assert.equal(counts.unaccounted(), 0);
    node.report(node.take());
    assert.deepEqual(ends(), [1, 0, 0]);
    assert.equal(counts.unaccounted(), 0);
    node.workOff();
    assert.deepEqual(ends(), [5, 0, 0]);
    assert.equal(metrics.runs.of({ ...WORK, outcome: 'succeeded' }).value, 1);
    assert.equal(metrics.attempts.of(WORK).value, 5);
    assert.equal(metrics.chunks.of({ ...WORK, outcome: 'completed' }).value, 5);
  });

  it('that fail are failed and not succeeded; those tried again are neither, and counted as that', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 2, chunk: 2, retries: 0 });
    const chunk = node.take();
    node.report(chunk, { results: pack([encodeValue(0), new Uint8Array(0)]), failures: [failure(1)] });
    assert.deepEqual(ends(), [1, 1, 0]);
    submit({ tasks: 1, retries: 1 });
    node.report(node.take(), { results: pack([new Uint8Array(0)]), failures: [failure(0)] });
    assert.deepEqual(ends(), [1, 1, 0]);
    assert.equal(metrics.retries.of({ ...WORK, reason: 'failed' }).value, 1);
  });

  it('of a run that is cancelled are cancelled', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 10 });
    node.report(node.take());
    engine.cancel(id, 'no more');
    for (const attempt of node.assigned.splice(0)) node.stop(attempt);
    assert.deepEqual(ends(), [1, 0, 9]);
    assert.equal(metrics.runs.of({ ...WORK, outcome: 'cancelled' }).value, 1);
  });

  it('of a name of a model that we do not know are of another one', () => {
    new FakeNode(engine, 'a').workOff();
    submit({ tasks: 3, model: 'what-a-client-says' });
    assert.equal(metrics.tasksSubmitted.of({ model: 'other', transport: 'grpc' }).value, 3);
  });

  it('that their hosts die of are poison, with the cause', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 1 });
    const empty = (from: number) => ({ to: from, results: pack([]) });
    for (let tries = 0; node.assigned.length > 0 && tries < 10; tries++) {
      const attempt = node.take();
      node.report(attempt, { ...empty(attempt.from), end: lost('HOST_DIED') });
    }
    assert.deepEqual(ends(), [0, 1, 0]);
    assert.equal(metrics.poison.of({ ...WORK, reason: 'HOST_DIED' }).value, 1);
    assert.ok(metrics.chunks.of({ ...WORK, outcome: 'lost' }).value >= 1);
  });
});

describe('reports', () => {
  it('tell how long each task took, and the chunk waited and was under way', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 3, chunk: 3 });
    node.report(node.take(), { timing: timing([5, 30, 2_000_000], { waitMs: 20 }) });
    const durations = metrics.taskDuration.of(WORK);
    assert.deepEqual(
      [...durations.counts].filter((count) => count > 0),
      [1, 1, 1],
    );
    assert.equal(durations.sumUs, 2_000_035);
    assert.equal(durations.exemplars.filter((one) => one !== undefined).length, 1);
    assert.equal(metrics.chunkWait.of(WORK).sumUs, 20_000);
    assert.equal(metrics.serialization.of(WORK).sumUs, 20);
    assert.equal(sumOf(metrics.dispatch.of(WORK).counts), 1);
    assert.equal(metrics.taskCpu.of(WORK).value, 0.002);
    assert.equal(metrics.resultBytes.of(WORK).value, 100);
  });

  it('that come too late are ignored, and counted as nothing else', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 2 });
    const attempt = node.take();
    node.report(attempt, { timing: timing([5]) });
    node.report(attempt, { timing: timing([5]) });
    assert.equal(metrics.ignored.of({ ...WORK, reason: 'fenced-attempt' }).value, 1);
    assert.equal(sumOf(metrics.taskDuration.of(WORK).counts), 1);
    assert.deepEqual(ends(), [1, 0, 0]);
  });
});

describe('nodes', () => {
  it('are counted as they join and as they are lost; what they held is tried again', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 2 });
    engine.roster.lost('a', node.incarnation, 'it burnt down');
    assert.deepEqual([metrics.nodeJoins.of({}).value, metrics.nodeLosses.of({}).value], [1, 1]);
    assert.ok(metrics.retries.of({ ...WORK, reason: 'lost' }).value >= 1);
    assert.equal(counts.unaccounted(), 0);
    new FakeNode(engine, 'b').workOff();
    assert.deepEqual(ends(), [2, 0, 0]);
  });

  it('that left on purpose are not lost', () => {
    const node = new FakeNode(engine, 'a');
    engine.roster.left('a', node.incarnation, () => {});
    assert.deepEqual([metrics.nodeLeaves.of({}).value, metrics.nodeLosses.of({}).value], [1, 0]);
  });
});

describe('conservation', () => {
  it('is broken where tasks are lost on the way, and says how many', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 4 });
    node.report(node.take());
    const run = engine.insides.scheduler.runs.get(id)!;
    const real = run.counts;
    run.counts = () => ({ ...real.call(run), pending: 0 });
    assert.ok(counts.unaccounted() > 0);
    run.counts = real;
  });

  it('holds for what an earlier life left behind', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 4 });
    node.report(node.take());
    const next = new StepCounts(metrics, new Works(metrics), engine.insides);
    assert.notEqual(next.unaccounted(), 0);
    next.begins();
    assert.equal(next.unaccounted(), 0);
  });
});

const sumOf = (counted: Iterable<number>): number => [...counted].reduce((a, b) => a + b, 0);
