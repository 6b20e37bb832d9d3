import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type ConnectRequest, type ConnectResponse, NodeLinkServiceService, Welcome } from '@regatta/proto/node';
import { pino } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import { limits } from '../limits.ts';
import { Desk } from '../politeness/desk.ts';
import { Link } from './link.ts';

/** What each connection was shown, in order, and when. */
let shown: { readonly header: string | undefined; readonly atMs: number }[];
let said: string[];
let token: string | undefined;
let server: Server;
let link: Link;
let welcomed: PromiseWithResolvers<void>;
let refused: PromiseWithResolvers<void>;
let running: Promise<void>;

/** A coordinator that takes the token "right". */
function connected(stream: ServerDuplexStream<ConnectRequest, ConnectResponse>): void {
  const header = stream.metadata.get('authorization')[0]?.toString();
  shown.push({ header, atMs: performance.now() });
  if (header !== 'Bearer right') {
    stream.emit('error', { code: status.UNAUTHENTICATED, details: 'no, not you' });
    refused.resolve();
    return;
  }
  const value = Welcome.fromPartial({ protocol: 1, incarnation: 1, heartbeatMs: 60_000, leaseMs: 60_000 });
  stream.on('data', () => {}).on('error', () => {});
  stream.write({ frame: { $case: 'welcome', value } });
}

beforeEach(async () => {
  [shown, said] = [[], []];
  [welcomed, refused] = [Promise.withResolvers(), Promise.withResolvers()];
  server = new Server();
  server.addService(NodeLinkServiceService, { connect: connected });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const machine = { id: 'm', hostname: 'h', osCores: 1, quotaCores: 1, quotaLimited: false, memoryBytes: 1, cores: 1 };
  const executor = {
    reset: () => {},
    hold: () => {},
    openRuns: () => [],
    pushedAttempts: [],
    desk: new Desk(() => {}),
  } as unknown as Executor;
  link = new Link({
    addresses: [`127.0.0.1:${port}`],
    token: () => token,
    introduction: { nodeId: 'a', machine, workloads: [], version: '', limits: [], metricsAddress: '' },
    executor,
    queues: { found: () => {}, pull: () => {}, stop: () => {}, stopAll: () => {} },
    pulse: () => ({ rssBytes: 0, hosts: 0, throttledMs: 0, pulled: 0, queueComplaint: '' }),
    log: pino({ level: 'warn' }, { write: (line: string) => void said.push(JSON.parse(line).msg) }),
    onWelcome: () => welcomed.resolve(),
  });
});

afterEach(async () => {
  link.close();
  await running;
  server.forceShutdown();
});

describe('a node', () => {
  it('shows its token', async () => {
    token = 'right';
    running = link.run();
    await welcomed.promise;
    assert.deepEqual(
      shown.map(({ header }) => header),
      ['Bearer right'],
    );
  });

  it('whose token is refused says so once, and goes on slowly with the one that there is then', async () => {
    token = undefined;
    running = link.run();
    await refused.promise;
    refused = Promise.withResolvers();
    token = 'wrong';
    await refused.promise;
    token = 'right';
    await welcomed.promise;
    assert.deepEqual(
      shown.map(({ header }) => header),
      [undefined, 'Bearer wrong', 'Bearer right'],
    );
    for (const [i, { atMs }] of shown.entries()) {
      if (i > 0) assert.ok(atMs - shown[i - 1]!.atMs > 0.9 * limits.refusedRetryMs);
    }
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^127\.0\.0\.1:\d+: no, not you; trying again$/);
  });
});
