import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pack } from '@regatta/workloads';
import { AckPolicy } from 'nats';
import { limits } from './limits.ts';
import { completed } from './testing/node.ts';
import { chunk, Site } from './testing/site.ts';

/** Less than the silence after which it would ask again anyhow. */
const AT_ONCE_MS = 4_000;

let site: Site;
beforeEach(async () => {
  site = await Site.start('max_payload: 1048576');
  await site.queue.open('r');
});
afterEach(() => site.end());

const froms = (): number[] => site.deliveries.map(({ outcome }) => outcome.from).sort((a, b) => a - b);

describe('a queue', () => {
  it('gives chunks to a node, and the engine what became of them', async () => {
    const inputs = pack(Array.from({ length: 10 }, (_, i) => Uint8Array.of(1, i)));
    site.queue.publish(chunk('r', 3, inputs));
    const node = site.node('r', { nodeId: 'b' });
    await site.until(() => node.taken.length === 1, 'the chunk is taken');
    const [taken] = node.taken;
    assert.deepEqual({ ...taken, inputs: Buffer.from(taken!.inputs) }, { ...chunk('r', 3), inputs });
    const since = performance.now();
    await node.tell(completed(taken!));
    await site.until(() => site.deliveries.length === 1, 'the outcome is handed on');
    assert.ok(performance.now() - since < AT_ONCE_MS);
    const { runId, nodeId, incarnation, outcome } = site.deliveries[0]!;
    assert.deepEqual([runId, nodeId, incarnation], ['r', 'b', 1]);
    assert.deepEqual([outcome.attemptId, outcome.from, outcome.to, outcome.end.kind], [4, 30, 40, 'completed']);
  });

  it('has a chunk once, however often it is published', async () => {
    for (let i = 0; i < 3; i++) site.queue.publish(chunk('r', 0));
    site.queue.publish(chunk('r', 1));
    await site.until(() => site.queue.pendingBytes === 0, 'NATS has them');
    assert.deepEqual(await site.queue.depth('r'), { queued: 2, pending: 0, redelivered: 0, unsent: 0 });
  });

  it('leaves nothing to be taken of a run that is withdrawn, and all of others', async () => {
    await site.queue.open('other');
    const inputs = pack(Array.from({ length: 10 }, () => new Uint8Array(10_000)));
    for (let n = 0; n < 150; n++) site.queue.publish(chunk('r', n, inputs));
    assert.ok(site.queue.pendingBytes > limits.bytesInFlightMax, 'some is sent, and some is not yet');
    site.queue.publish(chunk('other', 0));
    await site.queue.withdraw('r');
    assert.equal((await site.queue.depth('r'))?.queued, 0);
    await site.until(async () => (await site.queue.depth('other'))?.queued === 1, 'the other run has its chunk');
    assert.equal((await site.queue.depth('r'))?.queued, 0);
  });

  it('leaves no chunk of a run that is closed', async () => {
    const node = site.node('r');
    site.queue.publish(chunk('r', 0));
    await site.until(() => node.taken.length === 1, 'a chunk is taken');
    site.queue.publish(chunk('r', 1));
    await site.queue.closeRun('r');
    const { jsm } = await site.broker.connected();
    assert.equal((await jsm.streams.info('REGATTA_WORK')).state.messages, 0);
    await assert.rejects(jsm.consumers.info('REGATTA_WORK', 'r'), /consumer not found/);
  });

  it('still has the outcomes of others where a run is closed, for whoever comes next too', async () => {
    await site.queue.open('other');
    for (const runId of ['r', 'other']) await site.node(runId, { room: 0 }).tell(completed(chunk(runId, 0)));
    await site.until(() => site.deliveries.length === 2, 'both are held');
    await site.queue.closeRun('r');
    await site.queue.close();
    const again: string[] = [];
    site.newQueue(({ runId }) => again.push(runId));
    await site.until(() => again.includes('other'), 'the next coordinator is told');
  });

  it('removes runs that a coordinator before it left behind, and no others', async () => {
    await site.queue.open('mine');
    const { jsm } = await site.broker.connected();
    for (const name of ['left', 'known'])
      await jsm.consumers.add('REGATTA_WORK', {
        durable_name: name,
        filter_subject: `regatta.work.${name}`,
        ack_policy: AckPolicy.Explicit,
      });
    await site.queue.closeOthers(new Set(['known']));
    const names: string[] = [];
    for await (const { name } of jsm.consumers.list('REGATTA_WORK')) names.push(name);
    assert.deepEqual(names.sort(), ['known', 'mine', 'r']);
  });

  it('refuses a chunk that no message can hold, and says which tasks and how much', () => {
    const inputs = pack(Array.from({ length: 10 }, () => new Uint8Array(200_000)));
    assert.throws(() => site.queue.publish(chunk('r', 2, inputs)), {
      code: 'QUEUE_ITEM_TOO_LARGE',
      message: /^run r: the inputs of tasks 20 to 29 are 1\.91 MiB, more than the 1\.00 MiB .* --transport grpc$/,
    });
  });
});

describe('while NATS is away', () => {
  it('keeps chunks, says why they wait, and queues each once when it is back', async () => {
    for (let n = 0; n < 100; n++) site.queue.publish(chunk('r', n));
    await site.nats.kill();
    await site.until(() => site.queue.complaint !== undefined, 'the outage is noticed');
    assert.match(site.queue.complaint!, /^NATS is away: /);
    for (let n = 100; n < 200; n++) site.queue.publish(chunk('r', n));
    assert.ok(site.queue.pendingBytes > 0);
    assert.equal(await site.queue.depth('r'), undefined);
    await site.nats.restart();
    await site.until(async () => (await site.queue.depth('r'))?.queued === 200, 'all chunks are queued');
    assert.deepEqual([site.queue.pendingBytes, site.queue.complaint], [0, undefined]);
  });

  it('opens a run as soon as it is back', async () => {
    await site.nats.kill();
    const opening = site.queue.open('late');
    await site.nats.restart();
    await opening;
    site.queue.publish(chunk('late', 0));
    await site.until(async () => (await site.queue.depth('late'))?.queued === 1, 'its chunk is queued');
  });

  it('consumes outcomes again once it is back, at once and after every outage', async () => {
    const node = site.node('r');
    await node.tell(completed(chunk('r', 0)));
    await site.until(() => site.deliveries.length === 1, 'one came before');
    for (let outage = 1; outage <= 3; outage++) {
      await site.nats.kill();
      await site.until(() => site.broker.state.kind === 'waiting', 'the queue notices the outage');
      await site.until(() => node.broker.state.kind === 'waiting', 'the node does');
      await site.nats.restart();
      await site.until(() => node.broker.state.kind === 'ready', 'the node can speak');
      const since = performance.now();
      await node.tell(completed(chunk('r', outage)));
      await site.until(() => froms().includes(10 * outage), `it consumes after outage ${outage}`);
      assert.ok(performance.now() - since < AT_ONCE_MS);
    }
  });
});

describe('an outcome', () => {
  it('comes again, to the next coordinator, until it is acknowledged', async () => {
    const node = site.node('r');
    await node.tell(completed(chunk('r', 0)));
    await node.tell(completed(chunk('r', 1)));
    await site.until(() => site.deliveries.length === 2, 'both came');
    site.deliveries[0]!.ack();
    await site.broker.connected().then(({ nc }) => nc.flush());
    await site.queue.close();
    const again: number[] = [];
    site.newQueue(({ outcome, ack }) => {
      again.push(outcome.from);
      ack();
    });
    await site.until(() => again.length > 0, 'one comes again');
    assert.deepEqual(again, [site.deliveries[1]!.outcome.from]);
  });

  it('does not come again while the engine has yet to store it', async () => {
    await site.node('r').tell(completed(chunk('r', 0)));
    await site.until(() => site.deliveries.length === 1, 'it came');
    const { jsm } = await site.broker.connected();
    await new Promise((resolve) => setTimeout(resolve, limits.ackWaitMs + 2_000));
    const info = await jsm.consumers.info('REGATTA_OUTCOMES', 'coordinator');
    assert.deepEqual([info.num_ack_pending, info.num_redelivered, site.deliveries.length], [1, 0, 1]);
  });

  it('is acknowledged with all that came in its message, not before', async () => {
    await site.node('r').tell(completed(chunk('r', 0)), completed(chunk('r', 1)));
    await site.until(() => site.deliveries.length === 2, 'both came');
    const { jsm, nc } = await site.broker.connected();
    const messages = async (): Promise<number> => (await jsm.streams.info('REGATTA_OUTCOMES')).state.messages;
    site.deliveries[0]!.ack();
    site.deliveries[0]!.ack();
    await nc.flush();
    assert.equal(await messages(), 1);
    site.deliveries[1]!.ack();
    await site.until(async () => (await messages()) === 0, 'the message is gone');
  });

  it('that contradicts itself ends its attempt as lost, and its neighbours count', async () => {
    const wrong = { ...completed(chunk('r', 0)), to: 7 };
    await site.node('r').tell(wrong, completed(chunk('r', 1)));
    await site.until(() => site.deliveries.length === 2, 'both came');
    const [lost, good] = site.deliveries.map(({ outcome }) => outcome);
    assert.ok(lost?.end.kind === 'lost');
    assert.equal(lost.end.loss.code, 'BAD_OUTCOME');
    assert.equal(lost.end.loss.message, 'node a reported what cannot be: it reports tasks 0..7 with 10 results');
    assert.deepEqual([lost.attemptId, good?.attemptId, good?.end.kind], [1, 2, 'completed']);
    assert.equal(site.poisons.length, 1);
  });
});

it('says of a chunk that was delivered too often which nodes had it', async () => {
  const [b, c] = ['b', 'c'].map((nodeId) => site.node('r', { nodeId, room: 0 }));
  await b!.tellTaking(1, 2);
  await c!.tellTaking(1, 3);
  await c!.tellTaking(2, 2);
  const loss = { code: 'DELIVERED_TOO_OFTEN', message: 'too often', signal: '', rssBytes: 0, stderrTail: '' };
  const lost = { ...completed({ ...chunk('r', 0), to: 0 }), end: { $case: 'lost', value: loss } } as const;
  await b!.tell(lost);
  await site.until(() => site.deliveries.length === 1, 'its end came');
  const { end } = site.deliveries[0]!.outcome;
  assert.ok(end.kind === 'lost');
  assert.equal(end.loss.message, 'too often; after the first, it went to b, c');
  assert.deepEqual(site.poisons, []);
});

it('puts away what nobody can read, says so in a line each, and goes on', async () => {
  const node = site.node('r');
  const poisons = [Buffer.from('junk'), Buffer.alloc(0), Buffer.alloc(500_000, 0x1a)];
  for (const poison of poisons) await node.say(poison);
  await node.tell({ ...completed(chunk('r', 0)), runId: 'another' });
  await node.tell(completed(chunk('r', 1)));
  await site.until(() => site.deliveries.length === 1 && site.poisons.length === 4, 'all is read');
  assert.equal(site.queue.poisoned, 4);
  for (const line of site.poisons)
    assert.match(line, /^message \d on regatta\.outcomes\.r \(\d+ bytes\) is none of ours and was put away: [^\n]+$/);
  site.deliveries[0]!.ack();
  const { jsm } = await site.broker.connected();
  await site.until(
    async () => (await jsm.streams.info('REGATTA_OUTCOMES')).state.messages === 0,
    'none of them is kept',
  );
});

describe('behind our back', () => {
  it('a consumer that is removed is made anew, and its chunks are taken', async () => {
    site.queue.publish(chunk('r', 0));
    await site.until(() => site.queue.pendingBytes === 0, 'NATS has it');
    const { jsm } = await site.broker.connected();
    await jsm.consumers.delete('REGATTA_WORK', 'r');
    await jsm.consumers.delete('REGATTA_OUTCOMES', 'coordinator');
    const node = site.node('r');
    await site.until(() => node.taken.length === 1, 'the chunk is taken all the same');
    await node.tell(completed(node.taken[0]!));
    await site.until(() => site.deliveries.length === 1, 'outcomes are consumed again');
    assert.deepEqual(site.lost, []);
  });

  it('a stream that is removed is made anew, and what it had is told to be lost', async () => {
    site.queue.publish(chunk('r', 0));
    await site.until(() => site.queue.pendingBytes === 0, 'NATS has it');
    const { jsm } = await site.broker.connected();
    await jsm.streams.delete('REGATTA_WORK');
    await site.until(() => site.lost.length > 0, 'the loss is told');
    assert.deepEqual(site.lost, [['r']]);
    site.queue.publish(chunk('r', 1));
    await site.until(async () => (await site.queue.depth('r'))?.queued === 1, 'it takes chunks again');
  });

  it('a stream that counts anew brings outcomes whose numbers are those of others that are not stored yet', async () => {
    const node = site.node('r');
    await node.tell(completed(chunk('r', 0)));
    await site.until(() => site.deliveries.length === 1, 'the first is held');
    const { jsm } = await site.broker.connected();
    await jsm.streams.delete('REGATTA_OUTCOMES');
    await site.until(() => site.lost.length > 0, 'it is made anew');
    await node.tell(completed(chunk('r', 1)));
    await site.until(() => site.deliveries.length === 2, 'the second, which has the same number, is handed on');
    site.deliveries[0]!.ack();
    assert.equal((await jsm.streams.info('REGATTA_OUTCOMES')).state.messages, 1, 'and is kept for itself');
  });
});
