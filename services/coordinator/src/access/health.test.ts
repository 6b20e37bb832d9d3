import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type Client,
  type ClientReadableStream,
  credentials,
  makeGenericClientConstructor,
  Server,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { service as healthDefinition } from 'grpc-health-check';
import { serverCredentials } from './guard.ts';
import { healthService } from './health.ts';

const MIB = 2 ** 20;
const HealthClient = makeGenericClientConstructor(healthDefinition, 'Health');
type Asked = Client & {
  check(question: object, callback: (error: ServiceError | null, answer: unknown) => void): void;
  list(question: object, callback: (error: ServiceError | null, answer: unknown) => void): void;
  watch(question: object): ClientReadableStream<unknown>;
};

let server: Server;
let client: Asked;
before(async () => {
  server = new Server();
  server.addService(healthDefinition, healthService(['', 'a.Service']));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as Asked;
});
after(() => {
  client.close();
  server.forceShutdown();
});

/** @returns the answer, or the code that it was refused with */
const asked = (method: 'check' | 'list', service = ''): Promise<unknown> =>
  new Promise((resolve) => client[method]({ service }, (error, answer) => resolve(error?.code ?? answer)));

/** @returns what is told first; the call is over then */
async function watched(service: string): Promise<unknown> {
  const call = client.watch({ service });
  const [answer] = await once(call, 'data');
  const over = new Promise((resolve) => call.once('error', resolve));
  call.cancel();
  await over;
  return answer;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('the health service', () => {
  it('tells of what is there, and of nothing else', async () => {
    for (const name of ['', 'a.Service']) assert.deepEqual(await asked('check', name), { status: 'SERVING' });
    assert.equal(await asked('check', 'another'), status.NOT_FOUND);
    const serving = { status: 'SERVING' };
    assert.deepEqual(await asked('list'), { statuses: { '': serving, 'a.Service': serving } });
  });

  it('tells who watches at once, also that it does not know the name', async () => {
    assert.deepEqual(await watched('a.Service'), { status: 'SERVING' });
    assert.deepEqual(await watched('another'), { status: 'SERVICE_UNKNOWN' });
  });

  it('keeps a watcher until it goes', async () => {
    const call = client.watch({ service: '' }).on('error', () => {});
    await once(call, 'data');
    let ended = false;
    call.on('end', () => {
      ended = true;
    });
    await asked('check');
    assert.ok(!ended);
    call.cancel();
  });

  it('keeps nothing of the names that were asked for', async () => {
    const name = (i: number): string => `${i}${'n'.repeat(MIB / 4)}`;
    for (let i = 0; i < 8; i++) await watched(name(i));
    const before = heldBytes();
    for (let i = 8; i < 200; i++) await watched(name(i));
    const grown = heldBytes() - before;
    assert.ok(grown < 16 * MIB, `${Math.round(grown / MIB)} MiB more`);
  });
});
