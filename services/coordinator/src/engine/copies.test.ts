import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { limits } from '@regatta/scheduler';
import { decodeValue, encodeValue, pack, unpack } from '@regatta/workloads';
import { Engine } from './engine.ts';
import type { Assignment } from './fleet.ts';
import type { QueuePort } from './queue-feeder.ts';
import { type Recorder, unrecorded } from './record.ts';
import { dumpOf, dumpRuns, load } from './revival.ts';
import { FakeNode, NO_TIMING } from './testing/fake-node.ts';
import { packOf, requestFor } from './testing/runs.ts';

const LONG_MS = 60_000;

let engine: Engine;
let recorder: { -readonly [Name in keyof Recorder]: Recorder[Name] };
let nowMs: number;
/** Two nodes with a chunk of five tasks each, the second of which has ended; the first is slow. */
let slow: FakeNode;
let idle: FakeNode;
let slowChunk: Assignment;
let runId: string;

const engineForTests = (): Engine =>
  new Engine({
    spillDirectory: '/nowhere',
    noProgressMs: 10 * LONG_MS,
    onBroken: (thrown) => assert.fail(String(thrown)),
    onStuck: () => {},
  });

beforeEach(async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  nowMs = 0;
  mock.method(performance, 'now', () => nowMs);
  engine = engineForTests();
  recorder = { ...unrecorded };
  await engine.begin(recorder);
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

  it('goes on at the other node where a task fails at one: there it may go well', () => {
    pass(LONG_MS);
    const copy = idle.take();
    const failure = { task: 1, code: 'TASK_THREW', message: 'no room', stack: '' };
    const told = pack([encodeValue('copy'), new Uint8Array(0), encodeValue('copy')]);
    idle.report({ ...copy, to: 3 }, { end: { kind: 'open' }, results: told, failures: [failure] });
    assert.deepEqual([idle.cancelled, slow.cancelled], [[copy.attemptId], []]);
    slow.report(slowChunk, { results: allOf('first', 5) });
    const run = engine.run(runId);
    assert.deepEqual([run.state, run.failures], ['succeeded', []]);
    assert.deepEqual(results().slice(0, 5), ['copy', 'first', 'first', 'first', 'first']);
  });

  it('has failed where it fails at the last node that has it', () => {
    pass(LONG_MS);
    const copy = idle.take();
    const failures = [{ task: 0, code: 'TASK_THREW', message: 'never works', stack: '' }];
    const results = pack([new Uint8Array(0), ...Array(4).fill(encodeValue('x'))]);
    idle.report(copy, { results, failures });
    assert.equal(engine.run(runId).state, 'running');
    slow.report(slowChunk, { results, failures });
    const { state, failures: told } = engine.run(runId);
    assert.deepEqual([state, told.map(({ task, node }) => [task, node])], ['failed', [[0, 'slow']]]);
  });

  it('has failed where it fails in each of the copies that it may have: the first node may never tell', () => {
    const failures = [{ task: 1, code: 'TASK_THREW', message: 'never works', stack: '' }];
    const told = pack([encodeValue('x'), new Uint8Array(0), ...Array(3).fill(encodeValue('x'))]);
    pass(LONG_MS);
    idle.report(idle.take(), { results: told, failures });
    for (let nth = 2; nth <= limits.copiesPerAttemptMax; nth++) {
      assert.equal(engine.run(runId).state, 'running');
      pass(LONG_MS);
      const copy = idle.take();
      assert.equal(copy.from, 1);
      idle.report(copy, { results: pack([new Uint8Array(0), ...Array(3).fill(encodeValue('x'))]), failures });
    }
    const { state, failures: known } = engine.run(runId);
    assert.deepEqual([state, known.map(({ task, node }) => [task, node])], ['failed', [[1, 'idle']]]);
    assert.deepEqual(slow.cancelled, [slowChunk.attemptId]);
  });

  it('costs what its tasks cost where they were done first', () => {
    const before = engine.run(runId).accounting.cpuMs;
    pass(LONG_MS);
    idle.report({ ...idle.take(), to: 4 }, { end: { kind: 'open' }, timing: { ...NO_TIMING, cpuMs: 400 } });
    slow.report(slowChunk, { timing: { ...NO_TIMING, cpuMs: 1_000 } });
    assert.equal(engine.run(runId).accounting.cpuMs - before, 400 + 1_000 / 5);
  });
});

describe('news of a chunk that was told before', () => {
  it('is thanked for, so that the node need not keep it, once what was told before is safe', async () => {
    let safe = (): void => {};
    const settled = new Promise<void>((resolve) => {
      safe = resolve;
    });
    pass(LONG_MS);
    const copy = idle.take();
    idle.report({ ...copy, to: 3 }, { end: { kind: 'open' } });
    recorder.settled = () => settled;
    const thanked = mock.fn();
    const said = {
      attemptId: copy.attemptId,
      runId,
      from: 0,
      to: 2,
      results: packOf(0, 2),
      failures: [],
      timing: NO_TIMING,
    };
    engine.roster.report('slow', slow.incarnation, { ...said, end: { kind: 'open' } }, thanked);
    await new Promise(setImmediate);
    assert.equal(thanked.mock.callCount(), 0);
    safe();
    await new Promise(setImmediate);
    assert.equal(thanked.mock.callCount(), 1);
    assert.equal(engine.counts(engine.run(runId)).succeeded, 8);
  });
});

describe('a chunk that takes long over a takeover', () => {
  it('is given to a second node once nodes are back, and not to one that is only awaited', async () => {
    const dump = JSON.parse(JSON.stringify(dumpOf(engine.insides)));
    const heir = engineForTests();
    load(heir.insides, dump, dumpRuns(engine.insides, dump));
    pass(LONG_MS);
    await heir.begin(unrecorded);
    const back = slow.cameBack(heir, { attempts: [slowChunk.attemptId], runs: [runId] });
    const alsoBack = idle.cameBack(heir, { attempts: [], runs: [runId] });
    assert.deepEqual([back.resumed, alsoBack.resumed], [true, true]);
    pass(LONG_MS);
    alsoBack.report(alsoBack.take());
    assert.equal(heir.run(runId).state, 'succeeded');
  });
});

describe('a run that allows copies', () => {
  it('is refused where its chunks would go through a queue, where nobody knows who has them', () => {
    const request = requestFor({ speculate: true, transport: 'nats' });
    engine.attachQueue({} as QueuePort, []);
    assert.throws(() => engine.submit(request), { code: 'BAD_RUN', message: /--transport grpc/ });
  });
});
