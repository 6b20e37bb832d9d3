import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { after, afterEach, before, beforeEach, describe, it, mock } from 'node:test';
import { promisify } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { controlService as definition } from '@regatta/proto/services';
import { findWorkload } from '@regatta/workloads';
import { pino } from 'pino';
import { OPEN_TO_ALL } from '../access/refusals.ts';
import { RefusedNodes } from '../agents/refused-nodes.ts';
import { controlService } from '../control/server.ts';
import { Engine } from '../engine/engine.ts';
import { Client } from './client.ts';
import { submitAndFollow } from './follow.ts';
import { limits } from './limits.ts';
import { type PlannedRun, planRun } from './run-options.ts';

const PARTS = 4;

/** A run that no node takes, and that ends by its deadline; its inputs take so long to make, each a part of its own. */
function planned(msPerInput: number): PlannedRun {
  const inputs = function* () {
    for (let i = 0; i < PARTS; i++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, msPerInput);
      yield new Uint8Array(limits.uploadPartBytes);
    }
  };
  const plan = planRun('echo', { policy: 'awf', retries: 0, deadline: 200, set: { count: String(PARTS) } });
  return { ...plan, workload: { ...findWorkload('echo')!, inputs } };
}

describe('sending inputs, on a terminal', () => {
  const server = new Server();
  let client: Client;
  let written: string;
  const isTTY = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');

  before(async () => {
    const engine = new Engine({
      spillDirectory: tmpdir(),
      noProgressMs: 60_000,
      onBroken: () => assert.fail(),
      onStuck: () => {},
    });
    const self = { version: '0.1.0', access: OPEN_TO_ALL, refusedNodes: new RefusedNodes(), metricsUrl: () => '' };
    const leading = { engine, role: 'leading', leaderAddresses: [] } as const;
    server.addService(definition, controlService(leading, self, pino({ level: 'silent' })));
    const bind = promisify(server.bindAsync.bind(server));
    client = new Client(`127.0.0.1:${await bind('127.0.0.1:0', ServerCredentials.createInsecure())}`);
  });
  after(() => {
    client.close();
    server.forceShutdown();
  });
  beforeEach(() => {
    written = '';
    Object.defineProperty(process.stderr, 'isTTY', { value: true, configurable: true });
    mock.method(process.stderr, 'write', (text: string) => {
      written += text;
      return true;
    });
  });
  afterEach(() => {
    mock.restoreAll();
    if (isTTY === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
    else Object.defineProperty(process.stderr, 'isTTY', isTTY);
  });

  const send = (msPerInput: number) =>
    submitAndFollow(client, planned(msPerInput), 'echo', new AbortController().signal);

  it('shows how many have gone where that takes long', async () => {
    const { state } = await send(limits.uploadQuietMs / 2);
    assert.equal(state, 'cancelled');
    assert.match(written, /echo, sending inputs █+ 4\/4/);
    assert.doesNotMatch(written, /sending inputs ░+ 0|sending inputs \S+ 1\/4/, 'it is quiet at first');
  });

  it('says nothing of it where it is soon over', async () => {
    await send(0);
    assert.doesNotMatch(written, /sending inputs/);
    assert.match(written, /echo ░+ 0\/4/);
  });
});
