import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startNats } from '@regatta/broker/testing';
import { limits } from './engine/limits.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

it('a coordinator that is told to end again while it ends still ends in good order', { timeout: 30_000 }, async (t) => {
  const state = await mkdtemp(join(tmpdir(), 'regatta-serve-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  const nats = await startNats();
  t.after(() => nats.stop());
  const args = ['serve', '--listen', '127.0.0.1:0', '--log-level', 'silent', '--ends-with-parent', '--nats', nats.url];
  const env = { ...process.env, REGATTA_STATE_DIR: state };
  const child = fork(MAIN, args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  // So that the end takes as long as it may.
  nats.pause();
  const ended = once(child, 'exit');
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) {
    child.kill(signal);
    await sleep(limits.endMsMax / 20);
  }
  assert.equal(child.exitCode ?? child.signalCode, null);
  assert.deepEqual(await ended, [0, null]);
});
