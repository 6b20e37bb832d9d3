import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  credentials,
  Metadata,
  Server,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type ControlServiceServer, GetStatusResponse } from '@regatta/proto/control';
import { Heartbeat, type NodeLinkServiceServer } from '@regatta/proto/node';
import { ControlClient, controlService, NodeLinkClient, nodeLinkService } from '@regatta/proto/services';
import { HealthImplementation } from 'grpc-health-check';
import { Client } from '../cli/client.ts';
import { guard, serverCredentials } from './guard.ts';

const TOKEN = 'the-right-token-0123';

let server: Server;
let address: string;
let refused: string[];
/** What came through the door. */
let heard: string[];

before(async () => {
  const note = (reason: string): void => void refused.push(reason);
  server = new Server({ interceptors: [guard(TOKEN, { note })] });
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
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
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
    assert.deepEqual([heard, refused], [[], ['missing']]);
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
      assert.deepEqual([heard, refused], [[], ['wrong']]);
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
    assert.deepEqual([heard, refused], [[], ['missing']]);
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
    assert.deepEqual([heard, refused], [[], ['wrong']]);
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
