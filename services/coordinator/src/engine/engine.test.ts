import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeValue, pack, unpack } from '@regatta/workloads';
import { Engine } from './engine.ts';
import { limits } from './limits.ts';
import { unrecorded } from './record.ts';
import type { RunInputs } from './run-inputs.ts';
import type { RunRequest } from './run-record.ts';
import { FakeNode } from './testing/fake-node.ts';
import { largePack, packOf, requestFor } from './testing/runs.ts';
import type { Stuck } from './watchdog.ts';

let engine: Engine;
let broken: unknown[];
let stuck: Stuck[];

beforeEach(() => {
  [broken, stuck] = [[], []];
  engine = new Engine({
    spillDirectory: '/nowhere',
    noProgressMs: 60_000,
    onBroken: (thrown) => broken.push(thrown),
    onStuck: (one) => stuck.push(one),
  });
});
afterEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  assert.deepEqual(broken, []);
});

const submit = (over: Partial<RunRequest> = {}, inputs?: RunInputs): string =>
  engine.submit(requestFor({ policy: 'self', chunk: 1, ...over }), inputs);

function inputsOf(...sizes: number[]): RunInputs {
  const tasks = sizes.reduce((sum, size) => sum + size, 0);
  const inputs = engine.receiveInputs(requestFor({ tasks }));
  for (const size of sizes) inputs.add(packOf(inputs.tasks, inputs.tasks + size), tasks);
  return inputs;
}

const stateOf = (nodeId: string): string =>
  engine.nodes().find(({ introduction }) => introduction.nodeId === nodeId)!.state;
/** What is found out within a step is acted on after it. */
const microtask = (): Promise<void> => Promise.resolve();

describe('a run', () => {
  it('is opened on a node once, worked off, and closed there', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 5, paramsJson: '{"count":5}' });
    assert.deepEqual(
      node.opened.map(({ runId, paramsJson }) => [runId, paramsJson]),
      [[id, '{"count":5}']],
    );
    node.workOff();
    const run = engine.run(id);
    assert.deepEqual([run.state, engine.counts(run).succeeded, node.opened.length], ['succeeded', 5, 1]);
    assert.deepEqual(node.closed, [id]);
  });

  it('has its results stored before the orders that follow from them leave (E2)', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 50 });
    const { results } = engine.run(id);
    const first = node.take();
    let storedAtOrder: number | undefined;
    mock.method(node, 'assign', () => {
      storedAtOrder ??= results.bytes;
    });
    node.report(first);
    assert.ok(storedAtOrder !== undefined && storedAtOrder > 0, `${storedAtOrder} bytes were stored`);
  });

  it('is told to be as far as is safe, and no further: the next coordinator would not know of more (E2)', async () => {
    const waiting: (() => void)[] = [];
    await engine.begin({ ...unrecorded, record: (_, then) => void waiting.push(then) });
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 5 });
    const counts = () => {
      const { succeeded, pending, inFlight } = engine.counts(engine.run(id));
      return { succeeded, left: pending + inFlight };
    };
    node.report(node.take());
    assert.deepEqual(counts(), { succeeded: 0, left: 5 });
    node.workOff();
    assert.deepEqual([counts(), engine.run(id).state], [{ succeeded: 0, left: 5 }, 'waiting']);
    for (const then of waiting.splice(0)) then();
    assert.deepEqual([counts(), engine.run(id).state], [{ succeeded: 5, left: 0 }, 'succeeded']);
  });

  it('is refused where its inputs are not as many as its tasks', () => {
    const refused = { code: 'BAD_INPUTS', message: 'it has 4 tasks and inputs for 3' };
    assert.throws(() => submit({ tasks: 4 }, inputsOf(2, 1)), refused);
  });
});

describe('a run with inputs', () => {
  it('sends each chunk those of its tasks, and no chunk crosses a part', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 10, chunk: 4 }, inputsOf(3, 5, 2));
    const sent: [number, number, unknown[]][] = [];
    while (node.assigned.length > 0) {
      const order = node.take();
      sent.push([order.from, order.to, unpack(order.inputs!()).map(decodeValue)]);
      node.report(order);
    }
    for (const [from, to, values] of sent) {
      assert.deepEqual(
        values,
        Array.from({ length: to - from }, (_, i) => `task ${from + i}`),
      );
      for (const cut of [3, 8]) assert.ok(to <= cut || from >= cut, `${from}..${to} crosses ${cut}`);
    }
    assert.equal(sent.flatMap(([, , values]) => values).length, 10);
  });

  it('sends them again to whoever takes over, and keeps them no longer than the run', () => {
    const a = new FakeNode(engine, 'a');
    const id = submit({ tasks: 2, chunk: 2 }, inputsOf(2));
    const before = a.take().inputs!();
    const b = new FakeNode(engine, 'b');
    engine.roster.lost('a', a.incarnation, 'cut off');
    assert.deepEqual(b.assigned[0]!.inputs!(), before);
    const kept = engine.shelf.memoryBytes;
    b.workOff();
    assert.equal(engine.run(id).state, 'succeeded');
    assert.equal(engine.shelf.memoryBytes, engine.run(id).results.bytes);
    assert.ok(kept > 0);
  });

  it('tells the way to the node what is over, and takes up again what never went there', () => {
    const node = new FakeNode(engine, 'a', 2);
    const id = submit({ tasks: 2, chunk: 1, shape: { processes: 2, threads: 1, concurrency: 1 } }, inputsOf(2));
    const [first, second] = [node.take(), node.take()];
    node.report(first);
    assert.deepEqual(node.over, [first.attemptId]);
    engine.roster.unsent('a', node.incarnation, second);
    assert.deepEqual(engine.counts(engine.run(id)), {
      tasks: 2,
      succeeded: 1,
      failed: 0,
      cancelled: 0,
      inFlight: 0,
      pending: 1,
    });
  });

  it('sends none where the run has none', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 1 });
    assert.equal(node.take().inputs, undefined);
  });
});

describe('a node that is drained', () => {
  it('finishes what it has, gets no more, and has drained; resumed it gets more', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 50 });
    assert.equal(stateOf('a'), 'alive');
    engine.roster.drain('a', false);
    assert.deepEqual([stateOf('a'), node.drains], ['draining', [false]]);
    const held = node.assigned.length;
    for (let i = 0; i < held; i++) node.report(node.take());
    assert.deepEqual([stateOf('a'), node.assigned.length, engine.run(id).ended], ['drained', 0, false]);
    engine.roster.resume('a');
    assert.equal(stateOf('a'), 'alive');
    node.workOff();
    assert.equal(engine.run(id).state, 'succeeded');
  });

  it('and is to hand back, gives what it lets go of to others', async () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 3 });
    engine.roster.drain('a', true);
    const other = new FakeNode(engine, 'b');
    while (node.assigned.length > 0) node.stop(node.take());
    assert.deepEqual([stateOf('a'), node.drains], ['drained', [true]]);
    // What is let go of waits a little before it is tried again.
    for (const giveUpAt = performance.now() + 8_000; !engine.run(id).ended; await turn()) {
      assert.ok(performance.now() < giveUpAt, 'waited in vain until the other node had it all');
      other.workOff();
    }
    assert.deepEqual([engine.run(id).state, node.assigned], ['succeeded', []]);
  });

  it('has drained at once where it has nothing', () => {
    new FakeNode(engine, 'a');
    assert.equal(engine.roster.drain('a', false).state, 'drained');
  });

  it('resumed before it has drained is alive, whatever it then ends', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 3 });
    engine.roster.drain('a', false);
    engine.roster.resume('a');
    node.workOff();
    assert.equal(stateOf('a'), 'alive');
  });

  it('must be there: the refusal names those that are', () => {
    new FakeNode(engine, 'a');
    const gone = new FakeNode(engine, 'b');
    engine.roster.lost('b', gone.incarnation, 'cut off');
    const message = 'no node b is connected; there are: a';
    for (const ask of [() => engine.roster.drain('b', false), () => engine.roster.resume('b')]) {
      assert.throws(ask, { code: 'NO_SUCH_NODE', message });
    }
  });

  it('still drains when its link breaks and the same process comes back; started anew it serves', () => {
    const node = new FakeNode(engine, 'a');
    engine.roster.drain('a', false);
    engine.roster.lost('a', node.incarnation, 'a test');
    new FakeNode(engine, 'a');
    assert.equal(stateOf('a'), 'drained');
    engine.roster.resume('a');
    new FakeNode(engine, 'a');
    assert.equal(stateOf('a'), 'alive');
    engine.roster.drain('a', false);
    new FakeNode(engine, 'a', 1, 'another process');
    assert.equal(stateOf('a'), 'alive');
  });
});

describe('a node that leaves', () => {
  it('drains, and nobody can take that back', () => {
    const node = new FakeNode(engine, 'a');
    submit({ tasks: 3 });
    engine.roster.leaving('a', node.incarnation);
    assert.deepEqual([stateOf('a'), node.drains], ['draining', [false]]);
    assert.throws(() => engine.roster.resume('a'), { code: 'NODE_LEAVES' });
  });

  it('is known no more once it has left, and what it may still have held is no loss of anybody', async () => {
    const node = new FakeNode(engine, 'a');
    const other = new FakeNode(engine, 'b');
    const id = submit({ tasks: 4 });
    assert.ok(node.assigned.length > 0);
    engine.roster.leaving('a', node.incarnation);
    let safe = false;
    engine.roster.left('a', node.incarnation, () => {
      safe = true;
    });
    assert.ok(safe);
    assert.deepEqual(
      engine.nodes().map(({ introduction }) => introduction.nodeId),
      ['b'],
    );
    for (const giveUpAt = performance.now() + 8_000; !engine.run(id).ended; await turn()) {
      assert.ok(performance.now() < giveUpAt, 'waited in vain until the other node had it all');
      other.workOff();
    }
    assert.deepEqual([engine.run(id).state, engine.run(id).accounting.lostAttempts], ['succeeded', 0]);
  });

  it('of an earlier incarnation changes nothing of the one that is there', () => {
    const old = new FakeNode(engine, 'a');
    new FakeNode(engine, 'a', 1, 'another process');
    engine.roster.leaving('a', old.incarnation);
    engine.roster.left('a', old.incarnation, () => {});
    assert.equal(stateOf('a'), 'alive');
  });
});

describe('a run with more results than may be kept', () => {
  it('is stopped, and says why', async () => {
    // Nothing goes to disk: the same bytes each time are only counted.
    Object.assign(engine.shelf, { memoryBytesMax: Number.POSITIVE_INFINITY });
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 10_000 });
    const results = largePack(2 ** 28);
    const fit = Math.floor(limits.resultBytesPerRunMax / results.byteLength);
    for (let i = 0; i < fit; i++) node.report(node.take(), { results });
    await microtask();
    assert.equal(engine.run(id).state, 'running');
    node.report(node.take(), { results });
    await microtask();
    const { state, reason } = engine.run(id);
    assert.equal(state, 'stopping');
    assert.equal(reason, 'its results are more than 17179869184 bytes, the most of one run');
    assert.ok(node.cancelled.length > 0);
  });
});

describe('a run whose results cannot be stored', () => {
  it('is stopped, and says why', async () => {
    Object.assign(engine.shelf, { memoryBytesMax: 0 });
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 100 });
    node.report(node.take(), { results: largePack(2 ** 19) });
    await microtask();
    assert.match(engine.run(id).reason, /^its results cannot be stored: ENOENT/);
  });
});

describe('a failure that comes after the result', () => {
  it('is counted and kept with the run, also after its end', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 1 });
    node.workOff();
    let changes = 0;
    engine.run(id).onChange(() => changes++);
    const failure = { runId: id, task: 0, message: 'a timer threw', stack: '' };
    engine.roster.late('a', node.incarnation, failure);
    const { late, accounting, state } = engine.run(id);
    assert.deepEqual([late, accounting.lateFailures, state, changes], [[failure], 1, 'succeeded', 1]);
  });

  it('is kept up to a bound, and counted beyond it', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 1 });
    for (let task = 0; task < 150; task++)
      engine.roster.late('a', node.incarnation, { runId: id, task, message: '', stack: '' });
    const { late, accounting } = engine.run(id);
    assert.deepEqual([late.length, accounting.lateFailures], [limits.lateFailuresPerRunMax, 150]);
  });

  it('is ignored from a node that had nothing of the run, from an old incarnation, and of an unknown run', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 1 });
    const other = new FakeNode(engine, 'b');
    const failure = { runId: id, task: 0, message: '', stack: '' };
    engine.roster.late('b', other.incarnation, failure);
    engine.roster.late('a', node.incarnation - 1, failure);
    engine.roster.late('a', node.incarnation, { ...failure, runId: 'unknown' });
    assert.equal(engine.run(id).accounting.lateFailures, 0);
  });
});

describe('why a run is not done', () => {
  const codes = (id: string): string[] => engine.explain(id).map(({ code }) => code);

  it('names a node that has work and has fallen silent, first of all', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 1 });
    const [record] = engine.nodes();
    assert.ok(!codes(id).includes('NODE_SILENT'));
    record!.lastSeenMs -= 2_000;
    const [{ code, text }] = engine.explain(id) as [{ code: string; text: string }];
    assert.equal(code, 'NODE_SILENT');
    assert.match(
      text,
      /^node a was last heard 2\d\d\d ms ago; after 5000 ms it counts as lost, and what it has of the run goes elsewhere \(1 chunk\)$/,
    );
    engine.roster.beat('a', node.incarnation, {
      rssBytes: 0,
      hosts: 0,
      throttledMs: 0,
      pulled: 0,
      queueComplaint: '',
      wallMs: 0,
      roundTripMs: 0,
    });
    assert.ok(!codes(id).includes('NODE_SILENT'));
  });

  it('does not name a silent node that has none of its work', () => {
    new FakeNode(engine, 'a');
    const id = submit({ tasks: 1 });
    new FakeNode(engine, 'b');
    engine.nodes()[1]!.lastSeenMs -= 2_000;
    assert.ok(!codes(id).includes('NODE_SILENT'));
  });

  it('is said of no run that there is not', () => {
    assert.throws(() => engine.explain('run-x'), { code: 'NO_SUCH_RUN' });
  });

  it('is told by itself once nothing has ended for a while', () => {
    mock.timers.enable({ apis: ['setInterval'] });
    let now = 0;
    mock.method(performance, 'now', () => now);
    const onStuck = (one: Stuck): void => void stuck.push(one);
    engine = new Engine({ spillDirectory: '/nowhere', noProgressMs: 4_000, onBroken: (b) => broken.push(b), onStuck });
    const id = submit({ tasks: 1 });
    for (; now < 6_000; now += 1_000) mock.timers.tick(1_000);
    assert.equal(stuck.length, 1);
    assert.equal(stuck[0]!.runId, id);
    assert.match(stuck[0]!.reasons[0]!.text, /no node/i);
  });
});

describe('a run that does not wait for all of its tasks', () => {
  const fail = (node: FakeNode): void => {
    const given = node.take();
    const failures = [{ task: given.from, code: 'TASK_THREW', message: 'no', stack: '' }];
    node.report({ ...given, to: given.from + 1 }, { failures, results: pack([new Uint8Array(0)]) });
  };

  it('ends with the first that succeeds, and stops the others', () => {
    const node = new FakeNode(engine, 'a', 3);
    const shape = { processes: 3, threads: 1, concurrency: 1 };
    const id = submit({ tasks: 9, chunk: 1, policy: 'self', shape, until: 'any' });
    fail(node);
    assert.equal(engine.run(id).state, 'running');
    node.report(node.take());
    assert.equal(engine.run(id).state, 'stopping');
    assert.ok(node.cancelled.length > 0);
    while (node.assigned.length > 0) node.stop(node.take());
    const { state, reason } = engine.run(id);
    assert.deepEqual([state, reason], ['succeeded', 'enough: one of its tasks has succeeded']);
    const { succeeded, failed, cancelled } = engine.counts(engine.run(id));
    assert.deepEqual([succeeded, failed, cancelled], [1, 1, 7]);
  });

  it('ends with the first that ends, as that did', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 9, chunk: 1, policy: 'self', until: 'first' });
    fail(node);
    while (node.assigned.length > 0) node.stop(node.take());
    assert.deepEqual([engine.run(id).state, engine.run(id).reason], ['failed', 'enough: its first task has ended']);
  });

  it('is cancelled like any other before that', () => {
    const node = new FakeNode(engine, 'a');
    const id = submit({ tasks: 9, chunk: 1, policy: 'self', until: 'any' });
    engine.cancel(id, 'enough of this');
    while (node.assigned.length > 0) node.stop(node.take());
    assert.equal(engine.run(id).state, 'cancelled');
  });
});
