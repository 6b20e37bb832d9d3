import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, type NatsConnection } from 'nats';
import { findNatsServer } from './find-nats.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { isAlive, markOf } from './state.ts';

const directory = mkdtempSync(join(tmpdir(), 'regatta-nats-server-'));
after(() => rmSync(directory, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(directory, String(++folders), 'deep');

function client({ address, url }: NatsServer, given: { user?: string; pass?: string } = {}): Promise<NatsConnection> {
  const { username: user, password: pass } = new URL(url);
  return connect({ servers: address, user, pass, reconnect: false, ...given });
}

async function gone(pid: number): Promise<void> {
  const mark = markOf(pid);
  for (const start = performance.now(); isAlive(mark); await sleep(5)) {
    assert.ok(performance.now() - start < 3_000, `process ${pid} goes on`);
  }
}

describe('an embedded nats-server', () => {
  it('has JetStream, takes messages of 8 MiB, and ends with its folder', async () => {
    const folder = newFolder();
    const server = await startNatsServer({ folder, temporary: true });
    const nc = await client(server);
    assert.equal(nc.info?.max_payload, 8_388_608);
    const jsm = await nc.jetstreamManager();
    await jsm.streams.add({ name: 'kept', subjects: ['kept'] });
    const { seq } = await nc.jetstream().publish('kept', new Uint8Array(8_000_000));
    assert.equal(seq, 1);
    await nc.close();
    await server.close();
    assert.equal(isAlive(markOf(server.pid)), false);
    assert.ok(!existsSync(folder));
  });

  it('listens on loopback alone, and lets nobody in who cannot read its configuration', async () => {
    const folder = newFolder();
    const server = await startNatsServer({ folder, temporary: true });
    assert.match(server.address, /^127\.0\.0\.1:\d+$/);
    await assert.rejects(client(server, { pass: 'guessed' }), { code: 'AUTHORIZATION_VIOLATION' });
    const configuration = join(folder, 'nats-server.conf');
    assert.equal(statSync(configuration).mode & 0o777, 0o600);
    const { password } = new URL(server.url);
    assert.ok(readFileSync(configuration, 'utf8').includes(password));
    assert.ok(!readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').includes(password));
    assert.ok(!readFileSync(join(folder, 'nats-server.log'), 'utf8').includes(password));
    await server.close();
  });

  it('finds what an earlier one stored in the same folder, with new credentials', async () => {
    const folder = newFolder();
    const first = await startNatsServer({ folder, temporary: false });
    const before = await client(first);
    await (await before.jetstreamManager()).streams.add({ name: 'kept', subjects: ['kept'] });
    await before.close();
    await first.close();
    const second = await startNatsServer({ folder, temporary: true });
    assert.notEqual(new URL(second.url).password, new URL(first.url).password);
    const nc = await client(second);
    const jsm = await nc.jetstreamManager();
    assert.equal((await jsm.streams.info('kept')).config.name, 'kept');
    await nc.close();
    await second.close();
  });

  it('may be one of several at once', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => startNatsServer({ folder: newFolder(), temporary: true })));
    assert.equal(new Set(servers.map(({ address }) => address)).size, 3);
    await Promise.all(servers.map((server) => server.close()));
  });

  it('that does not start is said to, with its last words', async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'store'), 'no folder');
    await assert.rejects(startNatsServer({ folder, temporary: true }), {
      code: 'START_FAILED',
      message: /^the nats-server did not start: Can't start JetStream: [^\n]+; see \S+nats-server\.log$/,
    });
    await assert.rejects(startNatsServer({ folder: newFolder(), temporary: true, command: () => ['/no/such'] }), {
      code: 'START_FAILED',
      message: /^the nats-server did not start: .*\/no\/such.*not found/,
    });
  });

  it('runs behind a command that passes signals on, as docker run does', async () => {
    const [nats] = (await findNatsServer())('');
    const docker = join(directory, 'docker');
    writeFileSync(docker, `#!/bin/sh\nshift\n"${nats}" "$@" & server=$!\ntrap 'kill $server' TERM\nwait; wait\n`);
    chmodSync(docker, 0o755);
    const server = await startNatsServer({ folder: newFolder(), temporary: true, command: () => [docker, 'run'] });
    const nc = await client(server);
    await Promise.all([nc.closed(), server.close()]);
  });
});

/** Until nothing that was told of the folder runs: the server's watcher has done what it does. */
async function watched(folder: string): Promise<void> {
  const isWatcher = (pid: string): boolean => {
    try {
      const [, , , name, ...told] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return name === 'sh' && told.some((text) => text.startsWith(folder));
    } catch {
      return false;
    }
  };
  for (const start = performance.now(); readdirSync('/proc').some(isWatcher); await sleep(5)) {
    assert.ok(performance.now() - start < 5_000, 'the watcher goes on');
  }
}

const MODULE = JSON.stringify(fileURLToPath(new URL('./nats-server.ts', import.meta.url)));

/** A process that starts one, says its id, and ends or waits for its end. */
async function starter(
  folder: string,
  temporary: boolean,
  then: string,
): Promise<{ child: ChildProcess; pid: number }> {
  const options = JSON.stringify({ folder, temporary });
  const program = `
    import { startNatsServer } from ${MODULE};
    const server = await startNatsServer(${options});
    process.stdout.write(server.pid + '\\n');
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, pid: Number(text.toString()) };
}

describe('where the process that started it is killed with -9', () => {
  it('the server goes, and so does what it stored for that process alone', async () => {
    const folder = newFolder();
    const { child, pid } = await starter(folder, true, 'setInterval(() => {}, 1_000);');
    assert.ok(isAlive(markOf(pid)));
    child.kill('SIGKILL');
    await gone(pid);
    for (const start = performance.now(); existsSync(folder); await sleep(5)) {
      assert.ok(performance.now() - start < 3_000, 'the store stays');
    }
  });

  it('the server goes, but not a store that others come back to', async () => {
    const folder = newFolder();
    const { child, pid } = await starter(folder, false, 'setInterval(() => {}, 1_000);');
    child.kill('SIGKILL');
    await gone(pid);
    await watched(folder);
    assert.ok(existsSync(join(folder, 'store')));
  });

  it('the server stays if it was let stay, and its starter ends by itself', async () => {
    const folder = newFolder();
    const { child, pid } = await starter(folder, false, 'await server.letStay();');
    const mark = markOf(pid);
    try {
      assert.deepEqual(await once(child, 'exit'), [0, null]);
      await watched(folder);
      assert.ok(isAlive(mark));
    } finally {
      process.kill(pid);
    }
    await gone(pid);
  });
});
