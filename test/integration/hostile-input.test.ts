/**
 * A coordinator listens on a port, and anything may dial it. Whatever comes, from clients and nodes that nobody knows:
 * the process goes on, others are served as fast as ever, runs end right, and nothing is kept for those who came.
 *
 * Nodes are not proven to be who they say; one that gives false results in the right form is believed. What is tested
 * is that nothing in the wrong form gets in. REGATTA_SEED replays a failure.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ControlServiceService, RunSpec, type RunStatus, SubmitRunRequest } from '@regatta/proto/control';
import { type Assignment, ConnectRequest, type Hello, NodeLinkServiceService, Outcome } from '@regatta/proto/node';
import { pack, packCount, unpack } from '@regatta/workloads';
import { Cluster, eventually } from './cluster.ts';
import {
  type Chance,
  field,
  frame,
  GoodClient,
  gone,
  helloOf,
  honest,
  Impostor,
  integerField,
  mutated,
  Peer,
  rssMiBOf,
  seeded,
  specOf,
  tell,
} from './hostile.ts';
import { sumsFrom } from './wire.ts';

const ANSWER_MS_MAX = 2_000;
// Dead buffers of large messages count as heap and wait for its next collection.
const RSS_GROWTH_MIB_MAX = 800;
const SILENT_CONNECTIONS = 100;
const RANDOM_MESSAGES_PER_METHOD = 40;
const MUTATIONS = 2_000;
const AT_ONCE = 50;
const UNREAD_HEARTBEATS = 400_000;
const UNREAD_GROWTH_MIB_MAX = 60;
const UNREAD_WATCHERS = 200;
const MESSAGE_BYTES_MAX = 67_108_864;
const MIB = 1_048_576;
const SUCCEEDED = 4;

const { connect } = NodeLinkServiceService;
const { submitRun, getRun, listNodes, watchRun, streamResults } = ControlServiceService;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const METHODS = [
  ...[...Object.values(ControlServiceService), connect].map(({ path }) => path),
  ...['/grpc.health.v1.Health/Check', REFLECTION],
];

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
const runIdFrame = (runId: string): Buffer => frame(field(1, Buffer.from(runId)));

describe('while a coordinator is sent', () => {
  const counts = { sums: 150, terms: 2_000_000 };
  const silent: Socket[] = [];
  let cluster: Cluster;
  let good: GoodClient;
  let peer: Peer;
  let rssBeforeMiB: number;
  let runBefore: string;
  let incarnation: number;
  let lastWords = '';

  const sumsRun = (): Promise<string> =>
    good.submit(specOf('number-cruncher', { count: counts.sums, n: counts.terms }, { chunk: 1 }));
  const assertSums = async (runId: string): Promise<void> => {
    assert.deepEqual(await good.values(runId), sumsFrom(counts.terms, counts.sums));
    assert.equal((await good.run(runId)).state, SUCCEEDED);
  };

  before(async () => {
    cluster = await Cluster.start({ agents: 1 });
    cluster.coordinator.stderr!.on('data', (text: string) => {
      lastWords += text;
    });
    good = new GoodClient(cluster.address);
    await good.values(await good.submit(specOf('noop', { count: 2_000 })));
    incarnation = (await good.nodes())[0]!.incarnation;
    rssBeforeMiB = rssMiBOf(cluster.coordinator.pid!);
    runBefore = await sumsRun();
    peer = new Peer(cluster.address);
    good.startAsking();
  });

  after(async () => {
    // Also where `before` has failed half way: what is left open would keep this process.
    peer?.close();
    good?.close();
    for (const socket of silent) socket.destroy();
    await cluster?.stop();
  });

  /** An `it` on its own stream of chance, after which the coordinator still is who it was. */
  const sent = (name: string, test: (chance: Chance) => Promise<void>): void => {
    const stream = streams++;
    it(
      name,
      seeded(stream, async (chance) => {
        await test(chance).catch((thrown: Error) => {
          assert.equal(cluster.coordinator.exitCode, null, `it ended: ${lastWords} after ${thrown.stack}`);
          throw thrown;
        });
        await good.nodes();
      }),
    );
  };
  let streams = 0;

  sent('bytes that are no HTTP/2, it hangs up', async (chance) => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const noSettings = Buffer.from('000000040000000000', 'hex');
    const halfAFrame = Buffer.from('0000400104000000', 'hex');
    const starts = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.alloc(0),
      preface,
      Buffer.concat([preface, noSettings]),
      Buffer.concat([preface, noSettings, halfAFrame]),
    ];
    const ends = Array.from({ length: 100 }, async (_, i) => {
      const garbage = chance.bytes(chance.below(500));
      const socket = await tell(cluster.address, Buffer.concat([starts[i % starts.length]!, garbage]));
      if (chance.below(3) === 0) socket.resetAndDestroy();
      else socket.end();
      await gone(socket);
    });
    await Promise.all(ends);
  });

  sent('nothing, over a hundred connections, it lets them be and serves the others', async () => {
    const some = Buffer.from('PRI * HTTP/2');
    for (let i = 0; i < SILENT_CONNECTIONS; i++) silent.push(await tell(cluster.address, some.subarray(0, i % 12)));
    await good.nodes();
  });

  sent('messages of random bytes, by every method, it answers each', async (chance) => {
    for (const path of METHODS) {
      const calls = Array.from({ length: RANDOM_MESSAGES_PER_METHOD }, () => {
        const message = frame(chance.bytes(chance.below(200)));
        return peer.call(path, chance.below(10) === 0 ? Buffer.alloc(0) : message);
      });
      for (const ending of await Promise.all(calls)) assert.match(ending, /^(status \d+|http \d+|reset)$/);
    }
  });

  sent('calls that lie about length, compression, type, time or method, it refuses each', async (chance) => {
    // There is no wire type 7: it can never be read.
    const garbage = Buffer.concat([Buffer.of(0x07), chance.bytes(300)]);
    const bomb = frame(gzipSync(Buffer.alloc(MESSAGE_BYTES_MAX + MIB)), { flag: 1 });
    const nested = frame(Buffer.alloc(MIB, Buffer.of(0x0b)));
    for (const path of [submitRun.path, connect.path, watchRun.path]) {
      const call = (body: Uint8Array, headers = {}): Promise<string> => peer.call(path, body, headers);
      assert.equal(await call(frame(garbage, { length: 0xffff_ffff })), 'status 8');
      // A node that hangs up in the middle of a frame has hung up; a request cannot be half.
      assert.equal((await call(frame(garbage, { length: 400 }))) === 'status 0', path === connect.path);
      for (const encoding of ['gzip', 'deflate', 'nonsense', 'identity']) {
        assert.notEqual(await call(frame(garbage, { flag: 1 }), { 'grpc-encoding': encoding }), 'status 0');
      }
      assert.equal(await call(bomb, { 'grpc-encoding': 'gzip' }), 'status 8');
      assert.notEqual(await call(nested), 'status 0');
      assert.match(await call(frame(garbage), { 'content-type': 'text/html' }), /^http 415|status/);
      assert.notEqual(await call(frame(garbage), { 'grpc-timeout': 'soon' }), 'status 0');
      assert.notEqual(await call(frame(garbage), { 'grpc-timeout': '1n' }), 'status 0');
    }
    for (const path of ['/', '/x', '/regatta.v1.ControlService/Nonsense', `/${'x'.repeat(9_000)}`]) {
      assert.notEqual(await peer.call(path, frame(garbage)), 'status 0');
    }
  });

  sent('messages just over the limit, it refuses each', async () => {
    const over = frame(Buffer.alloc(MESSAGE_BYTES_MAX + 1));
    for (const path of [submitRun.path, connect.path, getRun.path]) {
      assert.equal(await peer.call(path, over), 'status 8');
    }
  });

  sent('a report of twenty million outcomes of two bytes each, it refuses it', async () => {
    // ConnectRequest.report = 3, Report.outcomes = 1: each an empty message
    const outcomes = Buffer.alloc(40_000_000).fill(Buffer.of(0x0a, 0x00));
    const report = Buffer.concat([Buffer.of(0x1a), varint(outcomes.byteLength), outcomes]);
    assert.equal(await peer.call(connect.path, frame(report)), 'status 13');
  });

  sent('runs with a few bytes changed, it takes or refuses each', async (chance) => {
    const spec = specOf('nobody-offers-this', { count: 7 }, { taskTimeoutMs: 5_000, deadlineMs: 60_000 });
    const right = SubmitRunRequest.encode({ spec }).finish();
    await inBatches(MUTATIONS, async (count) => {
      const calls = Array.from({ length: count }, () => peer.call(submitRun.path, frame(mutated(right, chance))));
      // OK, INVALID_ARGUMENT, or INTERNAL where it could not be read
      for (const ending of await Promise.all(calls)) assert.match(ending, /^status (0|3|13)$/);
    });
    await cancelAll();
  });

  sent('node frames with a few bytes changed, it takes or refuses each', async (chance) => {
    const assigned = { attemptId: 7, runId: runBefore, from: 0, to: 5, attempt: 1 } as Assignment;
    const failure = { task: 3, code: 'TASK_THREW', message: 'a', stack: 'b' };
    const lost = { $case: 'lost' as const, value: { code: 'HOST_DIED', message: 'x', culprit: 3, exit: 1 } };
    const frames = [
      connectFrame(beat(1)),
      outcomesFrame([honest(assigned), honest(assigned)]),
      outcomesFrame([Outcome.fromPartial({ ...honest(assigned), failures: [failure], end: lost })]),
    ];
    let nodes = 0;
    await inBatches(MUTATIONS / 2, async (count) => {
      const batch = new Peer(cluster.address);
      for (let i = 0; i < count; i++) {
        const hello = helloFrame(helloOf(`changed-${nodes++}`, ['nobody-offers-this']));
        const says = Array.from({ length: 3 }, () => changed(chance.pick(frames), chance));
        const greets = chance.below(3) === 0 ? changed(hello, chance) : hello;
        batch.tell(connect.path, Buffer.concat([greets, ...says]));
      }
      // On one connection bytes are read in their order: after this answer all has been. Not every call has one of its
      // own: gRPC leaves the status unsent where a frame cannot be read while the answer to the one before is on its way.
      await batch.call(listNodes.path, frame(Buffer.alloc(0)));
      await eventually(onlyOursAlive, ANSWER_MS_MAX, 'the nodes that closed their links to be lost');
      batch.close();
    });
  });

  sent('hellos that cannot be, or that are too much, it keeps none of it', async () => {
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
      assert.equal(await peer.call(connect.path, bytes), 'status 0');
    }
    const kept = JSON.stringify(await good.nodes());
    assert.ok(kept.length < MIB, `${kept.length} characters tell of its nodes`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    assert.doesNotMatch(kept, /\\u001b|\u001b/);
  });

  sent('frames out of order, it takes nobody in who was refused', async () => {
    const hello = helloFrame(helloOf('late', []));
    const never = outcomesFrame([honest({ attemptId: 1, runId: runBefore, from: 0, to: 5 } as Assignment)]);
    await peer.call(connect.path, Buffer.concat([never, hello]));
    await peer.call(connect.path, Buffer.concat([connectFrame(beat(1)), hello, hello]));
    await peer.call(connect.path, Buffer.concat([connectFrame(undefined), hello]));
    assert.ok(!(await good.nodes()).some(({ id }) => id === 'late'));
    const [first, second] = [helloOf('twice', []), helloOf('second', [])];
    await peer.call(connect.path, Buffer.concat([helloFrame(first), helloFrame(second), never]));
    assert.ok(!(await good.nodes()).some(({ id }) => id === 'second'));
    for (const odd of [Number.NaN, Number.NEGATIVE_INFINITY, -1, 2 ** 53]) {
      await peer.call(connect.path, Buffer.concat([helloFrame(first), connectFrame(beat(odd))]));
    }
  });

  sent('outcomes of work that is not theirs, it counts none', async (chance) => {
    const attempts = Array.from({ length: 300 }, () => {
      const from = chance.below(counts.sums);
      const runId = chance.pick([runBefore, 'run-x', '', '__proto__']);
      return honest({ attemptId: chance.below(300), runId, from, to: from + 1 + chance.below(5) } as Assignment);
    });
    const thief = helloFrame(helloOf('thief', []));
    await peer.call(connect.path, Buffer.concat([thief, ...attempts.map((outcome) => outcomesFrame([outcome]))]));
    await peer.call(connect.path, Buffer.concat([thief, outcomesFrame(attempts)]));
  });

  sent('heartbeats without end whose answers nobody reads, it does not keep the answers', async () => {
    const stream = peer.open(connect.path);
    stream.write(helloFrame(helloOf('flood', [])));
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => connectFrame(beat(1))));
    const before = rssMiBOf(cluster.coordinator.pid!);
    for (let sentCount = 0; sentCount < UNREAD_HEARTBEATS; sentCount += 1_000) {
      if (!stream.write(many)) await once(stream, 'drain');
    }
    const grew = rssMiBOf(cluster.coordinator.pid!) - before;
    stream.close();
    assert.ok(grew < UNREAD_GROWTH_MIB_MAX, `it grew by ${grew} MiB`);
  });

  /** What a node makes of an assignment that it was really given. */
  const lies: Readonly<Record<string, (given: Assignment, chance: Chance) => object>> = {
    'random bytes for results': (_given, chance) => ({ results: chance.bytes(100) }),
    'a pack whose table lies': (given) => ({ results: tableLies(honest(given).results) }),
    'a table that lies beside a failure': (given) => ({
      results: tableLies(honest(given).results),
      failures: [failureOf(given.from)],
    }),
    'a pack of too many': (given) => ({
      results: pack(Array.from({ length: 99 }, () => Buffer.of(0))),
      from: given.from,
    }),
    'no results at all': () => ({ results: Buffer.alloc(0) }),
    'success without a result': (given) => ({ results: pack(entriesOf(given).map(() => Buffer.alloc(0))) }),
    'a failure with a result': (given) => ({ failures: [failureOf(given.from)] }),
    'tasks before its own': (given) => honest({ ...given, from: 0, to: given.to }),
    'tasks beyond its own': (given) => honest({ ...given, to: given.to + 5 }),
    'tasks backwards': ({ from, to }) => ({ from: to, to: from }),
    'wall times of a wrong length': () => ({ timing: { wallUs: Buffer.alloc(4_001) } }),
    'times that are no numbers': () => ({
      timing: {
        cpuMs: Number.NaN,
        laneMs: -1,
        residentMs: Number.NEGATIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
      },
    }),
    'amounts that are too large to add up': () => ({
      timing: {
        ...{ bytes: Number.MAX_SAFE_INTEGER, hostRssBytes: Number.MAX_SAFE_INTEGER },
        ...{ cpuMs: 1e308, throttledMs: 1e308, host: 1 },
      },
    }),
    'failures of others': (given) => failing(given, [given.to + 3]),
    'the same failure twice': (given) => failing(given, [given.from, given.from]),
    'failures with huge texts': (given) => failing(given, [given.from], 'x'.repeat(10 * MIB)),
    'an end with nothing done': ({ from }) => ({ to: from, results: pack([]) }),
    'a loss that blames a stranger': ({ from }) => ({
      ...{ to: from, results: pack([]) },
      end: { $case: 'lost', value: { code: 'x'.repeat(MIB), message: 'y'.repeat(MIB), culprit: 1e9 } },
    }),
    'that it stopped, unasked': ({ from }) => ({
      ...{ to: from, results: pack([]) },
      end: { $case: 'stopped', value: true },
    }),
    "another run's name": () => ({ runId: runBefore }),
    'a name of a megabyte': () => ({ runId: 'x'.repeat(MIB) }),
    "another node's attempt": ({ attemptId }) => ({ attemptId: attemptId + 1 }),
  };

  const names = Object.keys(lies);
  for (let at = 0; at < names.length; at += 2) {
    const pair = names.slice(at, at + 2);
    sent(
      `from nodes, of work that they were given, ${pair.join(' or ')}: it has it done by the others`,
      async (chance) => {
        const liars = pair.map((name) => ({ name, node: new Impostor(cluster.address) }));
        for (const [i, { node }] of liars.entries()) {
          node.greet(`liar-${i}`, ['noop']);
          assert.ok(await node.hear('welcome'));
        }
        const count = 300;
        const runId = await good.submit(specOf('noop', { count }));
        await Promise.all(liars.map(({ name, node }) => answerWith(node, lies[name]!, chance)));
        assert.deepEqual(
          await good.values(runId),
          Array.from({ length: count }, (_, i) => String(i)),
        );
        const run = await good.run(runId);
        assert.equal(run.state, SUCCEEDED, JSON.stringify(run));
        assertPlausible(run);
      },
    );
  }

  sent('specs of numbers that are none, it refuses each', async () => {
    const spec = specOf('nobody-offers-this', { count: 7 });
    const submit = (bytes: Uint8Array): Promise<string> => peer.call(submitRun.path, frame(field(1, bytes)));
    for (const name of ['taskTimeoutMs', 'deadlineMs'] as const) {
      for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e308]) {
        assert.equal(await submit(RunSpec.encode({ ...spec, [name]: ms }).finish()), 'status 3', `${name} ${ms}`);
      }
    }
    const right = RunSpec.encode(spec).finish();
    const [tasks, nodes, chunk, retries] = [4, 7, 9, 10];
    for (const number of [tasks, nodes, chunk, retries]) {
      for (const value of [2n ** 53n + 1n, 2n ** 64n - 1n, 2n ** 63n + 1n, 2n ** 31n]) {
        const ending = await submit(Buffer.concat([right, integerField(number, value)]));
        // A uint32 has only the low bits of a longer one.
        const small = (number === nodes || number === retries) && (value & 0xffff_ffffn) === 1n;
        assert.match(ending, small ? /^status 0$/ : /^status (3|13)$/, `field ${number} of ${value}`);
      }
    }
    await cancelAll();
  });

  sent('specs of odd names and inputs, it refuses what it cannot keep, and the node survives the rest', async () => {
    const refused: Partial<RunSpec>[] = [
      { paramsJson: '['.repeat(60_000) },
      { paramsJson: `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}` },
      { paramsJson: '{"__proto__":{"x":1}}' },
      { paramsJson: `{"a":"${'x'.repeat(66_000)}"}` },
      { paramsJson: '' },
      { workload: '__proto__' },
      { workload: '\u001b[2J' },
      { workload: 'x'.repeat(MIB) },
      { model: 'x'.repeat(8 * MIB) },
      { model: '\u001b[2J' },
      { policy: '__proto__' },
      { policy: 'x'.repeat(MIB) },
      { shape: { processes: 0xffff_ffff, threads: 0xffff_ffff, concurrency: 0xffff_ffff } },
    ];
    for (const over of refused) {
      const request = SubmitRunRequest.encode({ spec: specOf('noop', { count: 3 }, over) }).finish();
      assert.equal(await peer.call(submitRun.path, frame(request)), 'status 3', JSON.stringify(over).slice(0, 100));
    }
    for (const paramsJson of ['{"count":3,"__proto__":1}', '{"constructor":"x"}', '{"count":1e999}', '{"count":-0}']) {
      const runId = await good.submit(specOf('noop', { count: 3 }, { paramsJson, retries: 0 }));
      await good.values(runId);
      assertPlausible(await good.run(runId));
    }
  });

  sent('ids of runs that are none, it refuses each', async (chance) => {
    const ids = ['', 'run-x', '__proto__', '\ud800', '\u001b[2J', 'é'.repeat(500), chance.bytes(30).toString('latin1')];
    for (const path of METHODS.filter((method) => /Run$|Results$/.test(method) && !method.includes('Submit'))) {
      for (const id of ids) assert.equal(await peer.call(path, runIdFrame(id)), 'status 5', `${path} of ${id}`);
      // An answer that named it would not fit into a header.
      const other = new Peer(cluster.address);
      assert.match(await other.call(path, runIdFrame('x'.repeat(MIB))), /^(status \d+|reset)$/);
      other.close();
    }
  });

  sent('the longest of reasons for a cancellation, it still lists its runs', async () => {
    const runId = await good.submit(specOf('nobody-offers-this', { count: 1 }));
    await good.cancel(runId, 'x'.repeat(8 * MIB));
    await good.unended();
    assert.ok((await good.run(runId)).reason.length < MIB);
  });

  sent('watchers that never read, it goes on', async () => {
    for (let i = 0; i < UNREAD_WATCHERS; i++) {
      const path = i % 2 === 0 ? watchRun.path : streamResults.path;
      peer.open(path).end(runIdFrame(runBefore));
    }
    await good.nodes();
  });

  it('all that: it is the same process, no larger, and its clients and runs have noticed nothing', async () => {
    await assertSums(runBefore);
    await assertSums(await sumsRun());
    await good.stopAsking();
    assert.ok(good.worstMs < ANSWER_MS_MAX, `a client waited ${good.worstMs} ms`);
    peer.close();
    assert.ok(await onlyOursAlive());
    assert.deepEqual(await good.unended(), []);
    assert.equal(cluster.coordinator.exitCode, null);
    assert.equal(cluster.coordinator.signalCode, null);
    const grew = rssMiBOf(cluster.coordinator.pid!) - rssBeforeMiB;
    assert.ok(grew < RSS_GROWTH_MIB_MAX, `it grew by ${grew} MiB`);
    assert.equal(lastWords, '');
  });

  async function onlyOursAlive(): Promise<boolean> {
    const alive = (await good.nodes()).filter(({ state }) => state === 'alive');
    return alive.length === 1 && alive[0]!.id === 'node-1' && alive[0]!.incarnation === incarnation;
  }

  async function cancelAll(): Promise<void> {
    for (const runId of await good.unended()) if (runId !== runBefore) await good.cancel(runId);
  }
});

const entriesOf = ({ from, to }: Assignment): undefined[] => Array.from({ length: to - from });

const failureOf = (task: number, text = 'made up') => ({ task, code: 'TASK_THREW', message: text, stack: text });

const failing = (given: Assignment, tasks: readonly number[], text?: string): object => ({
  results: pack(
    unpack(honest(given).results).map((entry, i) => (tasks.includes(given.from + i) ? Buffer.alloc(0) : entry)),
  ),
  failures: tasks.map((task) => failureOf(task, text)),
});

/** As many entries as it should have, but a table that cannot be: found by trying, so that no layout is known here. */
function tableLies(honest: Uint8Array): Buffer {
  // Of one size, entries would need no table.
  const results = pack(unpack(honest).map((_, i) => Buffer.alloc(i + 1)));
  for (let at = 0; at < results.length; at++) {
    const lie = Buffer.from(results);
    lie[at]! ^= 0xff;
    if (countIn(lie) === packCount(results) && !isPack(lie)) return lie;
  }
  throw new Error('no byte of a pack is one that only its table tells of');
}

function countIn(bytes: Uint8Array): number {
  try {
    return packCount(bytes);
  } catch {
    return -1;
  }
}

function isPack(bytes: Uint8Array): boolean {
  try {
    unpack(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Answers the first work that the node is given, waits until that was read, and leaves. */
async function answerWith(
  node: Impostor,
  lie: (given: Assignment, chance: Chance) => object,
  chance: Chance,
): Promise<void> {
  const work = await node.hear('work');
  assert.ok(work !== undefined && work.assign.length > 0, 'it was given no work');
  for (const given of work.assign) node.report(Outcome.fromPartial({ ...honest(given), ...lie(given, chance) }));
  node.say(beat(1));
  await node.hear('heartbeatAckMs');
  node.leave();
}

/** No sum has been spoilt: every one is a number that a wire and a person can read. */
function assertPlausible({ accounting, wallMs }: RunStatus): void {
  for (const [name, value] of Object.entries({ ...accounting, wallMs })) {
    if (typeof value !== 'number') continue;
    assert.ok(value >= 0 && value < 1e15, `${name} is ${value}`);
  }
}

/** Changes a message and frames it rightly again. */
const changed = (framed: Buffer, chance: Chance): Buffer => frame(mutated(framed.subarray(5), chance));

async function inBatches(count: number, batch: (count: number) => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) await batch(Math.min(AT_ONCE, count - done));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
