import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  type ConnectRequest,
  type ConnectResponse,
  type Hello,
  NodeLinkServiceClient,
  NodeLinkServiceService,
  type Refusal,
} from '@regatta/proto/node';
import { Cluster, Sandbox } from './cluster.ts';
import type { StatusJson } from './wire.ts';

const hello: Hello = {
  protocolMin: 1,
  protocolMax: 1,
  nodeId: 'by-hand',
  machine: {
    id: 'm',
    hostname: 'h',
    osCores: 1,
    quotaCores: 1,
    quotaLimited: false,
    memoryBytes: 1e9,
    cores: 1,
  },
  workloads: [],
  limits: [],
  pulls: [],
  resume: undefined,
  metricsAddress: '',
  runtime: 'node24',
  version: '0.0.0',
  instance: 'by-hand',
  pid: 1,
};

describe('a coordinator is greeted by', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agents: 1 });
  });
  after(() => cluster.stop());

  it('a node of an older protocol: it refuses, names both versions and says whom to upgrade', async () => {
    const { code, message } = await refusalOf({ ...hello, protocolMin: 0, protocolMax: 0 });
    assert.equal(code, 'PROTOCOL_VERSION');
    assert.match(message, /protocol 0 to 0.*1 to 1.*upgrade the node-agent/);
  });

  it('a node of a newer protocol: it refuses and says that the coordinator is the one to upgrade', async () => {
    const { code, message } = await refusalOf({ ...hello, protocolMin: 7, protocolMax: 9 });
    assert.equal(code, 'PROTOCOL_VERSION');
    assert.match(message, /protocol 7 to 9.*upgrade the coordinator/);
  });

  it('a node whose range overlaps its own: it is welcome, at the highest version of both', async () => {
    const frame = await firstAnswer({ ...hello, protocolMin: 0, protocolMax: 9 });
    assert.equal(frame?.$case, 'welcome');
    assert.equal(frame?.$case === 'welcome' && frame.value.protocol, 1);
  });

  it('nodes with a bad name, no machine, or the name of another: it refuses each with a reason', async () => {
    assert.match((await refusalOf({ ...hello, nodeId: 'a b' })).message, /name/);
    assert.match((await refusalOf({ ...hello, machine: undefined })).message, /machine/);
    const taken = await refusalOf({ ...hello, nodeId: 'node-1' });
    assert.equal(taken.code, 'NAME_TAKEN');
    assert.match(taken.message, /node-1.*--id/);
  });

  it('someone who says no hello first: it refuses, and its own nodes go on', async () => {
    const frame = await firstAnswer(undefined);
    assert.equal(frame?.$case, 'refusal');
    const { nodes } = await cluster.json<StatusJson>(['status']);
    assert.deepEqual(nodes.find(({ id }) => id === 'node-1')?.state, 'alive');
    assert.equal((await cluster.regatta(['run', 'noop', '--set', 'count=5'])).code, 0);
  });

  const refusalOf = async (greeting: Hello): Promise<Refusal> => {
    const frame = await firstAnswer(greeting);
    if (frame?.$case !== 'refusal') throw new Error(`not refused: ${frame?.$case}`);
    return frame.value;
  };

  const firstAnswer = (greeting: Hello | undefined): Promise<ConnectResponse['frame']> => {
    const client = new NodeLinkServiceClient(cluster.address, credentials.createInsecure());
    const stream = client.connect({ deadline: Date.now() + 5_000 } as never);
    const first =
      greeting === undefined
        ? { $case: 'report' as const, value: { outcomes: [], late: [] } }
        : { $case: 'hello' as const, value: greeting };
    return new Promise<ConnectResponse['frame']>((resolve, reject) => {
      stream.once('data', ({ frame }: ConnectResponse) => resolve(frame));
      stream.on('error', reject);
      stream.write({ frame: first });
    }).finally(() => {
      stream.cancel();
      client.close();
    });
  };
});

describe('a node-agent is refused by its coordinator', () => {
  const why = 'it speaks link protocol 1 to 1, this coordinator 2 to 3; upgrade the node-agent';

  it('for its protocol version: it gives the reason once and ends with exit code 3, for no retry will mend that', async () => {
    await using refuser = await refusingCoordinator(why);
    await using sandbox = new Sandbox();
    const agent = sandbox.startAgent(['--coordinator', refuser.address, '--id', 'old']);
    await agent.says(/protocol 1 to 1.*2 to 3/);
    const impatient = setTimeout(() => agent.child.kill('SIGTERM'), 3_000);
    const { code, stderr } = await agent.ended;
    clearTimeout(impatient);
    assert.equal(code, 3);
    assert.equal(stderr.match(/upgrade the node-agent/g)?.length, 1, stderr);
    assert.doesNotMatch(stderr, /\\n\s+at /);
    await sandbox.nothingLeft();
  });
});

async function refusingCoordinator(message: string) {
  const server = new Server();

  server.addService(NodeLinkServiceService, {
    connect(stream: ServerDuplexStream<ConnectRequest, ConnectResponse>) {
      stream.on('error', () => {});
      stream.once('data', () => {
        stream.write({ frame: { $case: 'refusal', value: { code: 'PROTOCOL_VERSION', message } } });
        stream.end();
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}
