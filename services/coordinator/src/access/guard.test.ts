import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type ControlServiceServer, GetStatusResponse } from '@regatta/proto/control';
import { Heartbeat, type NodeLinkServiceServer } from '@regatta/proto/node';
import { ControlClient, controlService, NodeLinkClient, nodeLinkService } from '@regatta/proto/services';
import { service as healthDefinition } from 'grpc-health-check';
import { Client } from '../cli/client.ts';
import { limits } from '../engine/limits.ts';
import { connectionBounds, guard, serverCredentials } from './guard.ts';
import { healthService } from './health.ts';

const TOKEN = 'the-right-token-0123';
/** Short, so that a test need not wait for it. */
const IDLE_MS = 500;

let server: Server;
let address: string;
let refused: string[];
/** What came through the door. */
let heard: string[];

before(async () => {
  const note = (door: string, reason: string): void => void refused.push(`${door} ${reason}`);
  const interceptors = [guard(TOKEN, { note }, { letIn: () => {} })];
  const sizes = { 'grpc.max_receive_message_length': limits.messageBytesMax };
  server = new Server({ ...sizes, ...connectionBounds(IDLE_MS), interceptors });
  const control: Partial<ControlServiceServer> = {
    getStatus: (call, callback) => {
      heard.push(`getStatus with ${call.metadata.get('authorization').length} headers`);
      callback(null, GetStatusResponse.fromPartial({ version: 'here' }));
    },
    submitRunWithInputs: (call, callback) => {
      heard.push('submitRunWithInputs');
      call.on('data', () => heard.push('input')).on('end', () => callback(null, { runId: 'run-1' }));
    },
  };
  server.addService(controlService, control as UntypedServiceImplementation);
  const link: NodeLinkServiceServer = { connect: (stream) => void stream.on('data', () => heard.push('frame')) };
  server.addService(nodeLinkService, link);
  server.addService(healthDefinition, healthService(['']));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  address = `127.0.0.1:${port}`;
});
after(() => server.forceShutdown());
beforeEach(() => {
  refused = [];
  heard = [];
});

async function refusalOf(use: (client: Client) => Promise<unknown>, token?: string): Promise<string> {
  const client = new Client(address, { token, alone: true });
  try {
    await use(client);
  } catch (thrown) {
    const { code, message } = thrown as Error & { code: string };
    assert.equal(code, 'TOKEN_REFUSED');
    assert.doesNotMatch(message, /\n/);
    if (token !== undefined) assert.ok(!message.includes(token));
    return message;
  } finally {
    client.close();
  }
  return assert.fail('nothing was refused');
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** In buffers that somebody still holds. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

const frames = { $case: 'inputs', value: Buffer.alloc(10) } as const;

describe('a coordinator that wants a token', () => {
  it('answers who shows it, and does not pass it on', async () => {
    const client = new Client(address, { token: TOKEN, alone: true });
    assert.equal((await client.status()).version, 'here');
    client.close();
    assert.deepEqual([heard, refused], [['getStatus with 0 headers'], []]);
  });

  it('refuses who shows none, and says which option to give', async () => {
    const message = await refusalOf((client) => client.status());
    assert.match(
      message,
      new RegExp(`^${address}: this coordinator wants a token, and was given none; .*--token-file`),
    );
    assert.deepEqual([heard, refused], [[], ['grpc missing']]);
  });

  for (const [what, token] of [
    ['another one', 'another-token-0123456'],
    ['the beginning of it', TOKEN.slice(0, -1)],
    ['one that is longer', `${TOKEN}x`],
  ] as const) {
    it(`refuses who shows ${what}, in the same words`, async () => {
      const message = await refusalOf((client) => client.status(), token);
      assert.equal(
        message,
        `${address}: this coordinator does not take the token that it was given; give its own by --token-file FILE or REGATTA_TOKEN`,
      );
      assert.deepEqual([heard, refused], [[], ['grpc wrong']]);
    });
  }

  it('refuses a stream before it reads any of it', async () => {
    const client = new ControlClient(address, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) => {
      const call = client.submitRunWithInputs(resolve);
      call.on('error', () => {});
      for (let i = 0; i < 100; i++) call.write({ frame: frames });
    });
    client.close();
    assert.equal(error?.code, status.UNAUTHENTICATED);
    assert.deepEqual([heard, refused], [[], ['grpc missing']]);
  });

  it('refuses a node', async () => {
    const client = new NodeLinkClient(address, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer of-somebody-else-01');
    const stream = client.connect(metadata);
    stream.on('data', () => {});
    stream.write({ frame: { $case: 'heartbeat', value: Heartbeat.fromPartial({}) } });
    const [error] = (await once(stream, 'error').catch((thrown) => [thrown])) as [ServiceError];
    client.close();
    assert.equal(error.code, status.UNAUTHENTICATED);
    assert.deepEqual([heard, refused], [[], ['grpc wrong']]);
  });

  it('keeps nothing of a caller who does not stop sending after it was refused', async () => {
    const session = connect(`http://${address}`);
    const headers = {
      ':method': 'POST',
      ':path': '/regatta.v1.ControlService/SubmitRunWithInputs',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request(headers, { endStream: false });
    const [answer] = (await once(stream, 'response')) as [Record<string, string>];
    assert.equal(answer['grpc-status'], String(status.UNAUTHENTICATED));
    stream.on('error', () => {});
    const before = heldBytes();
    // The head of a message of 64 MiB, then all of it.
    stream.write(Buffer.from([0, 4, 0, 0, 0]));
    const part = Buffer.alloc(2 ** 20);
    for (let i = 0; i < 64; i++) if (!stream.write(part)) await once(stream, 'drain');
    const grown = heldBytes() - before;
    session.destroy();
    assert.ok(grown < 8 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MiB more`);
    assert.deepEqual(heard, []);
  });
});

const MIB = 2 ** 20;
/** The head of a message of 60 MiB. */
const LARGE = Buffer.from([0, 0x03, 0xc0, 0, 0]);

const ask = (session: ClientHttp2Session, path: string): ClientHttp2Stream => {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  return session.request(headers, { endStream: false }).on('error', () => {});
};

/** All that a refused call may still send, as far as it gets. */
async function pour(stream: ClientHttp2Stream, mib: number): Promise<void> {
  const part = Buffer.alloc(MIB);
  const closed = once(stream, 'close');
  for (let i = 0; i < mib && stream.writable; i++) {
    if (!stream.write(part)) await Promise.race([once(stream, 'drain'), closed]);
  }
}

const HealthClient = makeGenericClientConstructor(healthDefinition, 'Health');

/** @returns what it was told, or the code that it was refused with */
async function watched(token?: string): Promise<unknown> {
  const client = new HealthClient(address, credentials.createInsecure());
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const stream = client.watch!({ service: '' }, metadata);
  const told = once(stream, 'data').then(
    ([answer]) => answer,
    ({ code }: ServiceError) => code,
  );
  const result = await told;
  stream.on('error', () => {}).cancel();
  client.close();
  return result;
}

describe('without a token', () => {
  it('whether a coordinator serves is told', async () => {
    const client = new HealthClient(address, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client.check!({ service: '' }, (error: ServiceError | null, value: unknown) =>
        error ? reject(error) : resolve(value),
      );
    });
    client.close();
    assert.deepEqual([answer, refused], [{ status: 'SERVING' }, []]);
  });

  it('health may not be watched, nor listed; with it it may', async () => {
    assert.equal(await watched(), status.UNAUTHENTICATED);
    assert.deepEqual(refused, ['grpc missing']);
    assert.deepEqual(await watched(TOKEN), { status: 'SERVING' });
    const session = connect(`http://${address}`);
    const [answer] = (await once(ask(session, '/grpc.health.v1.Health/List'), 'response')) as [Record<string, string>];
    session.destroy();
    assert.equal(answer['grpc-status'], String(status.UNAUTHENTICATED));
  });

  it('a large message is refused at its head, and nothing of it is kept', async () => {
    const session = connect(`http://${address}`);
    const before = heldBytes();
    const streams = Array.from({ length: 4 }, () => ask(session, '/grpc.health.v1.Health/Check'));
    const answers = streams.map((stream) => once(stream, 'response') as Promise<[Record<string, string>]>);
    for (const stream of streams) stream.write(LARGE);
    await Promise.all(streams.map((stream) => pour(stream, 20)));
    // What is on its way between the two ends goes by; what is kept stays as long as the calls may.
    const giveUpAt = performance.now() + limits.openCallMsMax / 2;
    let grown = heldBytes() - before;
    while (grown >= 16 * MIB && performance.now() < giveUpAt) {
      await sleep(50);
      grown = heldBytes() - before;
    }
    for (const [answer] of await Promise.all(answers)) {
      assert.equal(answer['grpc-status'], String(status.RESOURCE_EXHAUSTED));
    }
    session.destroy();
    assert.ok(grown < 16 * MIB, `${Math.round(grown / MIB)} MiB more`);
  });

  it('no call is kept for long: neither one that does not say all that it has to, nor one that was refused', async () => {
    const session = connect(`http://${address}`);
    const begun = performance.now();
    const silent = ask(session, '/grpc.health.v1.Health/Check');
    const turnedAway = ask(session, '/regatta.v1.ControlService/GetStatus');
    const answers = [silent, turnedAway].map(async (stream) => {
      const [answer] = (await once(stream, 'response')) as [Record<string, string>];
      stream.resume();
      await once(stream, 'close');
      return answer['grpc-status'];
    });
    const codes = await Promise.all(answers);
    const tookMs = performance.now() - begun;
    session.destroy();
    assert.deepEqual(codes, [String(status.DEADLINE_EXCEEDED), String(status.UNAUTHENTICATED)]);
    assert.ok(tookMs >= limits.openCallMsMax - 50 && tookMs < limits.openCallMsMax + 2_000, `${tookMs} ms`);
  });
});

describe('a connection', () => {
  it('without a call is closed after a while, however often it pings', { timeout: 20_000 }, async () => {
    const begun = performance.now();
    const session = connect(`http://${address}`);
    const pinging = setInterval(() => session.ping(() => {}), IDLE_MS / 10);
    await once(session, 'close');
    clearInterval(pinging);
    assert.ok(performance.now() - begun >= IDLE_MS - 50);
    assert.equal(connectionBounds()['grpc.max_connection_idle_ms'], limits.connectionIdleMsMax);
  });

  it('of a node is kept, however little is said', async () => {
    const client = new NodeLinkClient(address, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${TOKEN}`);
    const stream = client.connect(metadata);
    stream.on('data', () => {});
    stream.write({ frame: { $case: 'heartbeat', value: Heartbeat.fromPartial({}) } });
    const ended = once(stream, 'error').catch((thrown) => thrown);
    assert.equal(await Promise.race([ended, sleep(3 * IDLE_MS, 'kept')]), 'kept');
    stream.cancel();
    await ended;
    client.close();
    assert.deepEqual(heard, ['frame']);
  });
});
