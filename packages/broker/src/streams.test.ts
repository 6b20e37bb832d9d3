import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type JetStreamManager, nanos, type StreamConfig } from 'nats';
import { Broker } from './broker.ts';
import { ensureStream, type StreamNeeds } from './streams.ts';
import { type NatsServer, startNats } from './testing/nats-server.ts';

let server: NatsServer;
let broker: Broker;
let jsm: JetStreamManager;
let serial = 0;
let needs: StreamNeeds;

before(async () => {
  server = await startNats({ storeBytesMax: 1_000_000_000 });
  broker = new Broker({ servers: [server.url], name: 'streams.test' });
  ({ jsm } = await broker.connected());
});
after(async () => {
  await broker?.close();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  serial++;
  needs = {
    name: `S${serial}`,
    subjects: [`a${serial}.>`, `b${serial}.>`],
    retention: 'limits' as StreamConfig['retention'],
    storage: 'file' as StreamConfig['storage'],
    discard: 'new' as StreamConfig['discard'],
    max_bytes: 1_000_000,
  };
});

const configOf = async (): Promise<StreamConfig> => (await jsm.streams.info(needs.name)).config;

describe('a stream that is needed', () => {
  it('is made where it is missing, and left as it is where it is so, whatever the order of its subjects', async () => {
    await ensureStream(jsm, needs);
    await ensureStream(jsm, { ...needs, subjects: needs.subjects.toReversed() });
    const { subjects, retention, storage, discard, max_bytes } = await configOf();
    const { name, ...rest } = needs;
    assert.deepEqual({ subjects, retention, storage, discard, max_bytes }, rest);
  });

  it('gets the limits that are needed where it has others', async () => {
    await ensureStream(jsm, needs);
    await ensureStream(jsm, { ...needs, max_bytes: 2_000_000, max_age: nanos(60_000), duplicate_window: nanos(5_000) });
    const { max_bytes, max_age, duplicate_window } = await configOf();
    assert.deepEqual([max_bytes, max_age, duplicate_window], [2_000_000, nanos(60_000), nanos(5_000)]);
  });

  it('keeps a limit that is higher than needed where it already holds more', async () => {
    await ensureStream(jsm, needs);
    const js = jsm.jetstream();
    for (let i = 0; i < 5; i++) await js.publish(`a${serial}.x`, new Uint8Array(10_000));
    await ensureStream(jsm, { ...needs, max_bytes: 20_000, max_msgs: 3 });
    const { config, state } = await jsm.streams.info(needs.name);
    assert.deepEqual([config.max_bytes, config.max_msgs, state.messages], [1_000_000, -1, 5]);
  });

  it('may be made by several processes at once', async () => {
    await Promise.all([1, 2, 3, 4].map((n) => ensureStream(jsm, { ...needs, max_bytes: n * 1_000_000 })));
    assert.equal((await configOf()).name, needs.name);
  });
});

describe('a stream that somebody made otherwise', () => {
  it('is refused in one line that names each difference, and is not touched', async () => {
    const theirs = { ...needs, subjects: ['theirs'], retention: 'workqueue' as StreamConfig['retention'] };
    await jsm.streams.add({ ...theirs, storage: 'memory' as StreamConfig['storage'] });
    await assert.rejects(ensureStream(jsm, needs), {
      code: 'STREAM_DIFFERS',
      message: `the NATS stream ${needs.name} has subjects theirs instead of a${serial}.> b${serial}.>, retention workqueue instead of limits, storage memory instead of file: remove or rename that stream, or use another NATS account`,
    });
    assert.deepEqual((await configOf()).subjects, ['theirs']);
  });

  it('is refused where only what is dropped when it is full differs', async () => {
    await jsm.streams.add({ ...needs, discard: 'old' as StreamConfig['discard'] });
    await assert.rejects(ensureStream(jsm, needs), /has discard old instead of new/);
  });

  it('is refused where it has another name and our subjects', async () => {
    await jsm.streams.add({ name: `THEIRS${serial}`, subjects: [needs.subjects[0]!] });
    await assert.rejects(ensureStream(jsm, needs), {
      code: 'STREAM_DIFFERS',
      message: `another NATS stream than ${needs.name} already takes subjects of a${serial}.> b${serial}.>: remove or rename that stream, or use another NATS account`,
    });
  });
});

it('a stream for which NATS has no room is refused with its reason', async () => {
  await assert.rejects(ensureStream(jsm, { ...needs, max_bytes: 2_000_000_000 }), {
    code: 'STREAM_REFUSED',
    message: new RegExp(`^NATS refuses to make the stream ${needs.name}: .*(storage|resource)`),
  });
});
