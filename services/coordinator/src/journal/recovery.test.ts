import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { Rng } from '@regatta/kernel';
import { pack } from '@regatta/workloads';
import { Engine } from '../engine/engine.ts';
import { dumpOf, dumpRuns } from '../engine/revival.ts';
import { RunInputs } from '../engine/run-inputs.ts';
import { FakeNode } from '../engine/testing/fake-node.ts';
import { packOf, requestFor, roomyShelf } from '../engine/testing/runs.ts';
import { bytesOfEntries } from './codec.ts';
import { JournalLog } from './log.ts';
import { JournalRecorder } from './recorder.ts';
import { type Recovered, recover } from './recovery.ts';

let nats: NatsServer;
let broker: Broker;

beforeEach(async () => {
  nats = await startNats();
  broker = new Broker({ servers: [nats.url], name: 'test' });
});
afterEach(async () => {
  await broker.close();
  await nats.stop();
});

interface Life {
  readonly engine: Engine;
  /** What it knew before it began. */
  readonly memory: unknown;
  readonly log: JournalLog;
  readonly recovered: Recovered;
}

/** An engine that has taken over what there is in the journal. @param bytesMax of the journal */
async function begin({ bytesPerSnapshot = 2 ** 30, bytesMax = 2 ** 28 } = {}): Promise<Life> {
  const engine = new Engine({
    spillDirectory: tmpdir(),
    noProgressMs: 60_000,
    onBroken: (thrown) => assert.fail(String(thrown)),
    onStuck: () => {},
  });
  const log = await JournalLog.open(broker, { bytesMax });
  await log.takeOver();
  const recovered = await recover(log, engine.insides);
  const memory = memoryOf(engine);
  const onTrouble = (line: string): void => void troubles.push(line);
  const onLost = (): void => {};
  const { insides } = engine;
  const onNoRoom = (waiting: ReadonlyMap<string, number>): void => engine.stopLargest(waiting);
  const away = (): undefined => undefined;
  const options = { log, insides, onLost, onNoRoom, onTrouble, away, bytesPerSnapshot };
  const recorder = new JournalRecorder(options, recovered.snapshots);
  await engine.begin(recorder);
  for (const run of engine.runs()) if (recovered.ended.includes(run.id)) recorder.ended(run);
  return { engine, memory, log, recovered };
}

const troubles: string[] = [];

/** All that an engine knows, but for results and for what differs between lives. */
function memoryOf(engine: Engine): unknown {
  const { at: _, scheduler, fleet, counters } = dumpOf(engine.insides);
  const runs = engine.runs().map((run) => run.dump());
  const { runSerial } = counters;
  return JSON.parse(
    JSON.stringify({ scheduler, fleet, runSerial, runs, going: dumpRuns(engine.insides, dumpOf(engine.insides)) }),
  );
}

/** The same, when all that led to it is in the journal: ticks come when they will. */
async function settledMemoryOf(engine: Engine): Promise<unknown> {
  for (;;) {
    const memory = memoryOf(engine);
    await engine.settled();
    if (isDeepStrictEqual(memoryOf(engine), memory)) return memory;
  }
}

function partsOf(store: { read(place: number): { part: object; next: number } | undefined }): object[] {
  const parts: object[] = [];
  for (let read = store.read(0); read !== undefined; read = store.read(read.next)) parts.push(read.part);
  return parts;
}

/** Something of all that happens to runs and nodes. */
function live(engine: Engine, nodes: FakeNode[], rng: Rng): void {
  const node = nodes[Math.floor(rng.unit() * nodes.length)]!;
  const choice = rng.unit();
  if (choice < 0.2) engine.submit(requestFor({ tasks: 1 + Math.floor(rng.unit() * 30), retries: 2, nodes: 1 }));
  else if (choice < 0.85 && node.assigned.length > 0) report(node, rng);
  else if (choice < 0.88) engine.cancel(engine.runs()[0]?.id ?? engine.submit(requestFor()), 'enough');
  else if (choice < 0.91) engine.roster.drain(node.id, rng.unit() < 0.5);
  else if (choice < 0.94) engine.roster.resume(node.id);
}

function report(node: FakeNode, rng: Rng): void {
  const given = node.take();
  const choice = rng.unit();
  if (choice < 0.1) return node.stop(given);
  if (choice < 0.2) {
    const failures = [{ task: given.from, code: 'TASK_THREW', message: 'no', stack: '' }];
    return node.report(
      { ...given, to: given.from + 1 },
      { failures, end: { kind: 'stopped' }, results: pack([new Uint8Array(0)]) },
    );
  }
  node.report(given);
}

describe('an engine that takes over', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    for (const bytesPerSnapshot of [2 ** 30, 4_000]) {
      const how = bytesPerSnapshot > 2 ** 20 ? 'from the first step on' : 'from a snapshot on';
      it(`knows all that the one before it knew, ${how} (seed ${seed})`, async () => {
        const rng = new Rng(seed);
        const first = await begin({ bytesPerSnapshot });
        const nodes = ['a', 'b', 'c'].map((id) => new FakeNode(first.engine, id, 2));
        for (let step = 0; step < 300; step++) {
          live(first.engine, nodes, rng);
          if (step % 20 === 0) await first.engine.settled();
        }
        const memory = await settledMemoryOf(first.engine);
        const results = first.engine.runs().map((run) => [run.id, partsOf(run.results)] as const);
        first.engine.end('enough');
        const second = await begin({ bytesPerSnapshot });
        assert.deepEqual(second.memory, memory);
        assert.ok(second.engine.runs().length > 20);
        for (const [id, parts] of results) assert.deepEqual(partsOf(await second.engine.resultsOf(id)), parts);
        if (bytesPerSnapshot < 2 ** 20) assert.ok(second.recovered.snapshots.length > 1, 'there was no snapshot');
      });
    }
  }

  it('has the inputs of runs that go on, and none of runs that are over', async () => {
    const first = await begin();
    const node = new FakeNode(first.engine, 'a', 1);
    const inputs = (): RunInputs => {
      const all = new RunInputs(roomyShelf());
      for (const [from, to] of [
        [0, 3],
        [3, 10],
      ] as const)
        all.add(packOf(from, to), 10);
      return all;
    };
    const over = await first.engine.submitSafely(requestFor({ tasks: 10 }), inputs());
    node.workOff();
    assert.equal(first.engine.run(over).state, 'running');
    await first.engine.settled();
    assert.equal(first.engine.run(over).state, 'succeeded');
    const going = await first.engine.submitSafely(requestFor({ tasks: 10 }), inputs());
    const second = await begin();
    assert.deepEqual(
      [...second.engine.run(going).inputs!.parts()],
      [packOf(0, 3), packOf(3, 10)].map((p) => Buffer.from(p)),
    );
    assert.equal(second.engine.run(over).inputs, undefined);
  });

  it('knows of nodes that left that they did, and awaits none of them', async () => {
    const first = await begin();
    const [left, stays] = ['a', 'b'].map((id) => new FakeNode(first.engine, id)) as [FakeNode, FakeNode];
    const safe = Promise.withResolvers<void>();
    first.engine.roster.leaving('a', left.incarnation);
    first.engine.roster.left('a', left.incarnation, safe.resolve);
    await safe.promise;
    first.engine.end('enough');
    const { engine } = await begin();
    assert.deepEqual(
      engine.nodes().map(({ introduction, awaited }) => [introduction.nodeId, awaited]),
      [[stays.id, true]],
    );
  });

  it('has all that was recorded before the one before it was told to finish, and nothing after', async () => {
    const first = await begin();
    const before = first.engine.submitSafely(requestFor({ tasks: 10 }));
    // It looks first whether it can be recorded.
    await new Promise(setImmediate);
    const finished = first.engine.finish();
    await assert.rejects(first.engine.submitSafely(requestFor({ tasks: 10 })), { code: 'JOURNAL_CLOSED' });
    await finished;
    const id = await before;
    first.engine.end('enough');
    const { engine } = await begin();
    assert.deepEqual(
      engine.runs().map((run) => run.id),
      [id],
    );
  });

  it('wakes up for a deadline that an earlier one had asked for, from a snapshot on as well', async () => {
    const first = await begin({ bytesPerSnapshot: 1 });
    const id = await first.engine.submitSafely(requestFor({ deadlineMs: 1_500 }));
    await first.engine.submitSafely(requestFor());
    first.engine.end('enough');
    await until(async () => ((await snapshotsIn(first.log)) > 0 ? true : undefined));
    const second = await begin();
    assert.ok(second.recovered.snapshots.length > 0, 'there was no snapshot');
    assert.equal(second.engine.run(id).state, 'waiting');
    await until(() => (second.engine.run(id).state === 'cancelled' ? true : undefined));
    assert.match(second.engine.run(id).reason, /deadline/);
  });

  it('drops results of a step that was never written', async () => {
    const first = await begin();
    const node = new FakeNode(first.engine, 'a', 1);
    const id = await first.engine.submitSafely(requestFor({ tasks: 2, chunk: 1, policy: 'self' }));
    node.report(node.take());
    await first.engine.settled();
    // As one does that dies between the two records of a step.
    await first.log.append(`results.${id}`, Buffer.alloc(100));
    const second = await begin();
    assert.equal(partsOf(second.engine.run(id).results).length, 1);
  });

  it('stops a run of whose inputs some are gone, and begins all the same', async () => {
    const first = await begin();
    const inputs = new RunInputs(roomyShelf());
    for (const [from, to] of [
      [0, 3],
      [3, 10],
    ] as const)
      inputs.add(packOf(from, to), 10);
    const id = await first.engine.submitSafely(requestFor({ tasks: 10 }), inputs);
    first.engine.end('enough');
    await first.log.purge({ kind: `inputs.${id}` });
    const second = await begin();
    assert.deepEqual(second.recovered.broken, [id]);
  });

  it('does nothing on books that come out otherwise, and says why', async () => {
    const first = await begin();
    await first.engine.submitSafely(requestFor());
    const forged = { at: Date.now(), event: { kind: 'tick' as const }, digest: 12_345 };
    await first.log.append('events', bytesOfEntries([forged]));
    await assert.rejects(begin(), {
      code: 'JOURNAL_DIFFERS',
      message: /^the journal's tick of 20\S+Z comes out otherwise/,
    });
  });
});

describe('a journal that is slow', () => {
  it('has each result of what it says is committed, once, however much had to wait for it', async () => {
    const first = await begin();
    const node = new FakeNode(first.engine, 'a', 2);
    const tasks = 200;
    const id = await first.engine.submitSafely(requestFor({ tasks, chunk: 1, policy: 'self' }));
    nats.pause();
    for (let task = 0; task < tasks; task++) {
      node.report(node.take(), { results: pack([new Uint8Array(500_000)]) });
      // Other steps come between them, as they do.
      if (task % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.equal(first.engine.run(id).state, 'running');
    nats.resume();
    await first.engine.settled();
    assert.equal(first.engine.run(id).state, 'succeeded');
    first.engine.end('enough');
    const second = await begin();
    assert.equal(second.engine.counts(second.engine.run(id)).succeeded, tasks);
    assert.equal(partsOf(await second.engine.resultsOf(id)).length, tasks);
  });
});

describe('a journal that is full', () => {
  it('takes no run whose inputs it has no room for', async () => {
    const { engine } = await begin({ bytesMax: 3 * 2 ** 20 });
    const inputs = new RunInputs(roomyShelf());
    for (let part = 0; part < 5; part++) inputs.add(pack([new Uint8Array(900_000)]), 5);
    await assert.rejects(engine.submitSafely(requestFor({ tasks: 5 }), inputs), { code: 'JOURNAL_FULL' });
    assert.deepEqual(engine.runs(), []);
    assert.ok(await engine.submitSafely(requestFor({ tasks: 1 })));
  });

  /** A run with results of about so many bytes. */
  async function runOf(engine: Engine, node: FakeNode, bytes: number): Promise<string> {
    const id = await engine.submitSafely(requestFor({ tasks: 1 }));
    node.report(node.take(), { results: pack([new Uint8Array(bytes)]) });
    return id;
  }

  it('gives up the results of the oldest runs, and goes on', async () => {
    const { engine } = await begin({ bytesMax: 4 * 2 ** 20 });
    const node = new FakeNode(engine, 'a', 1);
    const ids: string[] = [];
    for (let run = 0; run < 6; run++) {
      ids.push(await runOf(engine, node, 2 ** 20));
      await engine.settled();
    }
    assert.ok(ids.every((id) => engine.run(id).state === 'succeeded'));
    assert.deepEqual([engine.run(ids[0]!).results.dropped, engine.run(ids[5]!).results.dropped], [true, false]);
    assert.match(troubles.join(), /full/);
  });

  it('stops the run that fills it, with the reason, and goes on with others', async () => {
    const { engine } = await begin({ bytesMax: 4 * 2 ** 20 });
    const node = new FakeNode(engine, 'a', 1);
    const small = await runOf(engine, node, 10);
    const large = await engine.submitSafely(requestFor({ tasks: 20, chunk: 1, policy: 'self' }));
    for (let task = 0; task < 8 && node.assigned.length > 0; task++) {
      node.report(node.take(), { results: pack([new Uint8Array(2 ** 20)]) });
    }
    await until(() => (engine.run(large).state === 'stopping' || engine.run(large).ended ? true : undefined));
    while (node.assigned.length > 0) node.stop(node.take());
    await engine.settled();
    assert.match(engine.run(large).reason, /^the journal is full/);
    assert.equal(engine.run(small).state, 'succeeded');
    const next = await runOf(engine, node, 10);
    await engine.settled();
    assert.equal(engine.run(next).state, 'succeeded');
  });
});

describe('a node that comes back to the one that took over', () => {
  it('goes on as it was, and what it never got goes elsewhere', async () => {
    const first = await begin();
    const node = new FakeNode(first.engine, 'a', 2);
    const id = await first.engine.submitSafely(
      requestFor({ tasks: 2, chunk: 1, policy: 'self', shape: { processes: 2, threads: 1, concurrency: 1 } }),
    );
    const [kept, lost] = [node.take(), node.take()];
    const second = await begin();
    const { engine } = second;
    const back = node.cameBack(engine, { attempts: [kept.attemptId, 77], runs: [id, 'run-over'] });
    assert.deepEqual(back.cancelled, [77]);
    assert.deepEqual(back.closed, ['run-over']);
    assert.deepEqual(
      back.opened.map(({ runId }) => runId),
      [id],
    );
    back.report(kept);
    const again = await until(() => back.assigned[0]);
    assert.deepEqual([again.from, again.to], [lost.from, lost.to]);
    assert.notEqual(again.attemptId, lost.attemptId);
    back.workOff();
    await engine.settled();
    assert.equal(engine.run(id).state, 'succeeded');
  });
});

async function snapshotsIn(log: JournalLog): Promise<number> {
  let count = 0;
  for await (const _ of log.read({ kind: 'snapshot' })) count++;
  return count;
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const giveUpAt = performance.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 5))) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(performance.now() < giveUpAt, 'waited in vain');
  }
}
