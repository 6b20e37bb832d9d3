import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { decodeValue, encodeValue, pack, unpack } from '@regatta/workloads';
import { Engine } from './engine.ts';
import type { Assignment } from './fleet.ts';
import type { QueuePort } from './queue-feeder.ts';
import { FakeNode } from './testing/fake-node.ts';
import { packOf, requestFor } from './testing/runs.ts';

const LONG_MS = 60_000;

let engine: Engine;
let nowMs: number;
/** Two nodes with a chunk of five tasks each, the second of which has ended; the first is slow. */
let slow: FakeNode;
let idle: FakeNode;
let slowChunk: Assignment;
let runId: string;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  nowMs = 0;
  mock.method(performance, 'now', () => nowMs);
  engine = new Engine({
    spillDirectory: '/nowhere',
    noProgressMs: 10 * LONG_MS,
    onBroken: (thrown) => assert.fail(String(thrown)),
    onStuck: () => {},
  });
  [slow, idle] = [new FakeNode(engine, 'slow'), new FakeNode(engine, 'idle')];
  const request = requestFor({ tasks: 10, policy: 'self', chunk: 5, speculate: true });
  const inputs = engine.receiveInputs(request);
  inputs.add(packOf(0, 10), 10);
  runId = engine.submit(request, inputs);
  slowChunk = slow.take();
  idle.report(idle.take());
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

function pass(ms: number): void {
  nowMs += ms;
  mock.timers.tick(ms);
}

const allOf = (value: string, count: number) => pack(Array(count).fill(encodeValue(value)));

/** Of each task, what was kept. */
function results(): unknown[] {
  const { results: store } = engine.run(runId);
  const values: unknown[] = [];
  for (let next = store.read(0); next !== undefined; next = store.read(next.next)) {
    for (const [i, entry] of unpack(next.part.results).entries()) values[next.part.from + i] = decodeValue(entry);
  }
  return values;
}

describe('a chunk that a second node was given', () => {
  it('comes with its inputs, and counts once: of who was first', () => {
    pass(LONG_MS);
    const copy = idle.take();
    assert.equal(copy.attemptId, slowChunk.attemptId);
    assert.deepEqual(
      unpack(copy.inputs!()).map(decodeValue),
      [0, 1, 2, 3, 4].map((task) => `task ${task}`),
    );
    idle.report(copy);
    const run = engine.run(runId);
    assert.equal(run.state, 'succeeded');
    assert.deepEqual([slow.cancelled, slow.closed], [[slowChunk.attemptId], [runId]]);
    slow.report(slowChunk);
    const { copies, copiesWon, fenced } = run.accounting;
    assert.deepEqual([copies, copiesWon, fenced], [1, 1, 1]);
    assert.deepEqual(
      [...run.accounting.nodes].map(([id, { tasks }]) => [id, tasks]),
      [
        ['slow', 0],
        ['idle', 10],
      ],
    );
  });

  it('has each of its tasks from who told of it first', () => {
    pass(LONG_MS);
    const copy = idle.take();
    idle.report({ ...copy, to: 2 }, { end: { kind: 'open' }, results: allOf('copy', 2) });
    slow.report({ ...slowChunk, to: 4 }, { end: { kind: 'open' }, results: allOf('first', 4) });
    assert.equal(engine.counts(engine.run(runId)).succeeded, 9);
    idle.report({ ...copy, from: 2 }, { results: allOf('copy', 3) });
    const run = engine.run(runId);
    assert.equal(run.state, 'succeeded');
    assert.deepEqual(
      [...run.accounting.nodes.values()].map(({ tasks }) => tasks),
      [2, 8],
    );
    assert.deepEqual(results(), ['copy', 'copy', 'first', 'first', 'copy', 5, 6, 7, 8, 9]);
  });

  it('thanks the node whose news was no news, so that it need not keep it', async () => {
    pass(LONG_MS);
    const copy = idle.take();
    idle.report({ ...copy, to: 3 }, { end: { kind: 'open' } });
    const thanked = mock.fn();
    const said = { attemptId: copy.attemptId, runId, from: 0, to: 2, results: packOf(0, 2), failures: [] };
    const timing = { wallUs: new Uint32Array(2), cpuUs: new Uint32Array(2), cpuMs: 0, laneMs: 1, waitMs: 0 };
    const more = { serializeMs: 0, residentMs: 0, bytes: 0, host: 0, hostRssBytes: 0, stallMs: 0, throttledMs: 0 };
    engine.roster.report(
      'slow',
      slow.incarnation,
      { ...said, timing: { ...timing, ...more }, end: { kind: 'open' } },
      thanked,
    );
    await new Promise(setImmediate);
    assert.equal(thanked.mock.callCount(), 1);
    assert.equal(engine.counts(engine.run(runId)).succeeded, 8);
  });
});

describe('a run that allows copies', () => {
  it('is refused where its chunks would go through a queue, where nobody knows who has them', () => {
    const request = requestFor({ speculate: true, transport: 'nats' });
    engine.attachQueue({} as QueuePort, []);
    assert.throws(() => engine.submit(request), { code: 'BAD_RUN', message: /--transport grpc/ });
  });
});
