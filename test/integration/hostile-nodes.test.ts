/**
 * Anything may dial a coordinator and say that it is a node. Nodes are not proven to be who they say; one that gives false
 * results in the right form is believed. What is tested is that nothing in the wrong form gets in. REGATTA_SEED replays a
 * failure.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe } from 'node:test';
import { ControlServiceService } from '@regatta/proto/control';
import { type Assignment, ConnectRequest, type Hello, NodeLinkServiceService, Outcome } from '@regatta/proto/node';
import { eventually } from './cluster.ts';
import { type Chance, frame, helloOf, honest, Impostor, mutated, Peer, rssMiBOf, specOf } from './hostile.ts';
import { lies } from './hostile-lies.ts';
import { ANSWER_MS_MAX, assertPlausible, inBatches, Siege, SUCCEEDED } from './hostile-siege.ts';

const MUTATIONS = 1_000;
const UNREAD_HEARTBEATS = 400_000;
const UNREAD_GROWTH_MIB_MAX = 60;
const MIB = 1_048_576;

const { connect } = NodeLinkServiceService;
const { listNodes } = ControlServiceService;

const connectFrame = (value: ConnectRequest['frame']): Buffer =>
  frame(ConnectRequest.encode({ frame: value }).finish());
const helloFrame = (hello: Hello): Buffer => connectFrame({ $case: 'hello', value: hello });
const outcomesFrame = (outcomes: Outcome[]): Buffer =>
  frame(
    ConnectRequest.encode(ConnectRequest.fromPartial({ frame: { $case: 'report', value: { outcomes } } })).finish(),
  );
const beat = (sentMs: number): ConnectRequest['frame'] => ({
  $case: 'heartbeat',
  value: {
    sentMs,
    rssBytes: 0,
    hosts: 0,
    throttledMs: sentMs,
    pulled: 0,
    queueComplaint: '',
    wallMs: 0,
    roundTripMs: 0,
  },
});

describe('while a coordinator is sent', () => {
  const siege = new Siege();

  siege.sent('node frames with a few bytes changed, it takes or refuses each', async (chance) => {
    const assigned = { attemptId: 7, runId: siege.honestRun, from: 0, to: 5, attempt: 1 } as Assignment;
    const failure = { task: 3, code: 'TASK_THREW', message: 'a', stack: 'b' };
    const lost = { $case: 'lost' as const, value: { code: 'HOST_DIED', message: 'x', culprit: 3, exit: 1 } };
    const frames = [
      connectFrame(beat(1)),
      outcomesFrame([honest(assigned), honest(assigned)]),
      outcomesFrame([Outcome.fromPartial({ ...honest(assigned), failures: [failure], end: lost })]),
    ];
    let nodes = 0;
    await inBatches(MUTATIONS, async (count) => {
      const batch = new Peer(siege.address);
      for (let i = 0; i < count; i++) {
        const hello = helloFrame(helloOf(`changed-${nodes++}`, ['nobody-offers-this']));
        const says = Array.from({ length: 3 }, () => changed(chance.pick(frames), chance));
        const greets = chance.below(3) === 0 ? changed(hello, chance) : hello;
        batch.tell(connect.path, Buffer.concat([greets, ...says]));
      }
      // On one connection bytes are read in their order: after this answer all has been. Not every call has one of its
      // own: gRPC leaves the status unsent where a frame cannot be read while the answer to the one before is on its way.
      await batch.call(listNodes.path, frame(Buffer.alloc(0)));
      await eventually(() => siege.onlyOursAlive(), ANSWER_MS_MAX, 'the nodes that closed their links to be lost');
      batch.close();
    });
  });

  siege.sent('hellos that cannot be, or that are too much, it keeps none of it', async () => {
    const long = 'x'.repeat(4 * MIB);
    const { machine, ...hello } = helloOf('odd', []);
    const card = { name: 'w', kind: 1 as const, summary: '', parameters: [] };
    const odd: Partial<Hello>[] = [
      { nodeId: '' },
      { nodeId: 'a\u001b[31mb' },
      { nodeId: '__proto__' },
      { nodeId: 'constructor' },
      { nodeId: long },
      { version: long, runtime: long, instance: long },
      { machine: undefined },
      { machine: { ...machine!, cores: 0 } },
      { machine: { ...machine!, cores: 0xffff_ffff } },
      { machine: { ...machine!, quotaCores: Number.NaN, hostname: long, id: long } },
      { workloads: Array.from({ length: 5_000 }, () => card) },
      { workloads: [{ ...card, name: '__proto__' }] },
      { workloads: [{ ...card, name: '\u001b[2J' }] },
      { workloads: [{ ...card, summary: long }] },
      { protocolMin: 0, protocolMax: 0xffff_ffff },
      { protocolMin: 5, protocolMax: 1 },
    ];
    for (const over of odd) {
      const bytes = helloFrame({ ...hello, machine, ...over });
      assert.equal(await siege.peer.call(connect.path, bytes), 'status 0');
    }
    const kept = JSON.stringify(await siege.good.nodes());
    assert.ok(kept.length < MIB, `${kept.length} characters tell of its nodes`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.doesNotMatch(kept, /\\u001b|\u001b/);
  });

  siege.sent('frames out of order, it takes nobody in who was refused', async () => {
    const hello = helloFrame(helloOf('late', []));
    const never = outcomesFrame([honest({ attemptId: 1, runId: siege.honestRun, from: 0, to: 5 } as Assignment)]);
    await siege.peer.call(connect.path, Buffer.concat([never, hello]));
    await siege.peer.call(connect.path, Buffer.concat([connectFrame(beat(1)), hello, hello]));
    await siege.peer.call(connect.path, Buffer.concat([connectFrame(undefined), hello]));
    assert.ok(!(await siege.good.nodes()).some(({ id }) => id === 'late'));
    const [first, second] = [helloOf('twice', []), helloOf('second', [])];
    await siege.peer.call(connect.path, Buffer.concat([helloFrame(first), helloFrame(second), never]));
    assert.ok(!(await siege.good.nodes()).some(({ id }) => id === 'second'));
    for (const odd of [Number.NaN, Number.NEGATIVE_INFINITY, -1, 2 ** 53]) {
      await siege.peer.call(connect.path, Buffer.concat([helloFrame(first), connectFrame(beat(odd))]));
    }
  });

  siege.sent('outcomes of work that is not theirs, it counts none', async (chance) => {
    const attempts = Array.from({ length: 300 }, () => {
      const from = chance.below(siege.sums);
      const runId = chance.pick([siege.honestRun, 'run-x', '', '__proto__']);
      return honest({ attemptId: chance.below(300), runId, from, to: from + 1 + chance.below(5) } as Assignment);
    });
    const thief = helloFrame(helloOf('thief', []));
    await siege.peer.call(connect.path, Buffer.concat([thief, ...attempts.map((outcome) => outcomesFrame([outcome]))]));
    await siege.peer.call(connect.path, Buffer.concat([thief, outcomesFrame(attempts)]));
  });

  siege.sent('heartbeats without end whose answers nobody reads, it does not keep the answers', async () => {
    const stream = siege.peer.open(connect.path);
    stream.write(helloFrame(helloOf('flood', [])));
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => connectFrame(beat(1))));
    const before = rssMiBOf(siege.pid);
    for (let sentCount = 0; sentCount < UNREAD_HEARTBEATS; sentCount += 1_000) {
      if (!stream.write(many)) await once(stream, 'drain');
    }
    const grew = rssMiBOf(siege.pid) - before;
    stream.close();
    assert.ok(grew < UNREAD_GROWTH_MIB_MAX, `it grew by ${grew} MiB`);
  });

  const names = Object.keys(lies);
  for (let at = 0; at < names.length; at += 2) {
    const pair = names.slice(at, at + 2);
    siege.sent(
      `from nodes, of work that they were given, ${pair.join(' or ')}: it has it done by the others`,
      async (chance) => {
        const liars = pair.map((name) => ({ name, node: new Impostor(siege.address) }));
        for (const [i, { node }] of liars.entries()) {
          node.greet(`liar-${i}`, ['noop']);
          assert.ok(await node.hear('welcome'));
        }
        const count = 300;
        const runId = await siege.good.submit(specOf('noop', { count }));
        await Promise.all(
          liars.map(({ name, node }) => answerWith(node, (given) => lies[name]!(given, chance, siege.honestRun))),
        );
        assert.deepEqual(
          await siege.good.values(runId),
          Array.from({ length: count }, (_, i) => String(i)),
        );
        const run = await siege.good.run(runId);
        assert.equal(run.state, SUCCEEDED, JSON.stringify(run));
        assertPlausible(run);
      },
    );
  }

  siege.isOver();
});

/** Answers the first work that the node is given, waits until that was read, and leaves. */
async function answerWith(node: Impostor, lie: (given: Assignment) => object): Promise<void> {
  const work = await node.hear('work');
  assert.ok(work !== undefined && work.assign.length > 0, 'it was given no work');
  for (const given of work.assign) node.report(Outcome.fromPartial({ ...honest(given), ...lie(given) }));
  node.say(beat(1));
  await node.hear('heartbeatAckMs');
  node.leave();
}

/** Changes a message and frames it rightly again. */
const changed = (framed: Buffer, chance: Chance): Buffer => frame(mutated(framed.subarray(5), chance));
