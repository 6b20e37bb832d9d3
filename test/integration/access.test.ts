/** Who is let in, with real processes: a coordinator that wants a token, agents and commands that have it or do not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { createRequire } from 'node:module';
import { connect as connectTcp, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { startNats } from '@regatta/broker/testing';
import { limits as doorLimits } from '../../services/coordinator/src/access/limits.ts';
import { Cluster, childrenOf, type Ended, eventually, type RunningCli, Sandbox, startCoordinator } from './cluster.ts';

interface StatusJson {
  readonly access: {
    readonly token: boolean;
    readonly insecure: readonly string[];
    readonly refused: { readonly missing: number; readonly wrong: number };
  };
  readonly nodes: readonly { readonly id: string; readonly state: string }[];
}

const require = createRequire(import.meta.url);
const tokenOf = (): string => randomBytes(24).toString('base64url');
const token = tokenOf();
const wrong = tokenOf();

/** A file in the sandbox's directory. @returns its path */
function file({ directory }: Sandbox, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** One line that says what is wrong, and nothing of a token. */
function assertRefused({ code, stdout, stderr }: Ended, exit: number, says: RegExp): void {
  assert.match(stderr, says);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  assert.deepEqual([code, stdout], [exit, '']);
  for (const secret of [token, wrong]) assert.ok(!stderr.includes(secret));
}

async function end({ child, ended }: RunningCli): Promise<Ended> {
  child.kill('SIGTERM');
  return ended;
}

describe('a coordinator that wants a token', () => {
  const place = new Sandbox();
  let cluster: Cluster;
  let right: readonly string[];
  before(async () => {
    right = ['--token-file', file(place, 'token', `${token}\n`)];
    cluster = await Cluster.start({ agents: 1, agentArgs: right, serveArgs: [...right, '--log-level', 'info'] });
  });
  after(async () => {
    await cluster.stop();
    await place.discard();
  });

  const statusNow = (): Promise<StatusJson> => cluster.json<StatusJson>(['status', ...right]);

  it('lets in a node and a command that have it, by file or by environment', async () => {
    const byFile = await cluster.regatta(['run', 'noop', '--set', 'count=10', ...right]);
    assert.equal(byFile.code, 0, byFile.stderr);
    for (const environment of [{ REGATTA_TOKEN: token }, { REGATTA_TOKEN_FILE: right[1]!, REGATTA_TOKEN: wrong }]) {
      const args = ['run', 'echo', '--set', 'count=10', '--coordinator', cluster.address];
      assert.equal((await cluster.sandbox.json<{ succeeded: number }>(args, environment)).succeeded, 10);
    }
    const { access, nodes } = await statusNow();
    assert.deepEqual([access.token, access.insecure, nodes.length], [true, [], 1]);
  });

  it('refuses commands with none or a wrong one, with exit code 3 and one line, and counts them', async () => {
    const { refused } = (await statusNow()).access;
    const none =
      /^regatta: 127\.0\.0\.1:\d+: this coordinator wants a token, and was given none; give it by --token-file/;
    for (const command of [['runs'], ['run', 'echo'], ['watch', 'run-x'], ['nodes', 'drain', 'node-1']]) {
      assertRefused(await cluster.regatta([...command, '--json']), 3, none);
    }
    const bad = ['--token-file', file(cluster.sandbox, 'wrong', wrong)];
    const not =
      /^regatta: 127\.0\.0\.1:\d+: this coordinator does not take the token that it was given; give its own by/;
    for (const command of [['runs'], ['nodes', 'drain', 'node-1']]) {
      assertRefused(await cluster.regatta([...command, ...bad]), 3, not);
    }
    const after = (await statusNow()).access.refused;
    assert.deepEqual(after, { missing: refused.missing + 4, wrong: refused.wrong + 2 });
    const { stdout } = await cluster.regatta(['status', '--verbose', ...right]);
    assert.match(
      stdout,
      new RegExp(`^access: by token; .*, ${after.missing} without a token, ${after.wrong} with`, 'm'),
    );
  });

  it('says who was refused, once in a while, however often', async () => {
    const lines = (): string[] =>
      cluster
        .log()
        .split('\n')
        .filter((line) => /refused (a|\d+ more) call/.test(line));
    assert.equal((await cluster.regatta(['runs'])).code, 3);
    await eventually(() => lines().length > 0, 5_000, 'a line about who was refused');
    const start = performance.now();
    const before = lines().length;
    assert.match(lines()[0]!, /"msg":"refused a call from 127\.0\.0\.1:\d+: it gave no token"/);
    await flood(2_000);
    assert.ok((await statusNow()).access.refused.wrong >= 2_000);
    assert.ok(lines().length - before <= 1 + (performance.now() - start) / 10_000, lines().join('\n'));
  });

  /** Calls with a wrong token, over one connection that none of them closes. */
  async function flood(calls: number): Promise<void> {
    const session = connect(`http://${cluster.address}`);
    const headers = {
      ':method': 'POST',
      ':path': '/regatta.v1.ControlService/SubmitRunWithInputs',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${wrong}`,
    };
    for (let i = 0; i < calls; i++) {
      const stream = session.request(headers, { endStream: false });
      const [answer] = (await once(stream, 'response')) as [Record<string, string>];
      assert.equal(answer['grpc-status'], String(status.UNAUTHENTICATED));
      stream.close();
    }
    session.destroy();
  }

  it('serves its nodes and commands though strangers hold as many connections as they get', async () => {
    const port = Number(cluster.address.split(':')[1]);
    const sockets: Socket[] = [];
    const open = (): number => readdirSync(`/proc/${cluster.coordinator.pid}/fd`).length;
    const before = open();
    try {
      for (let i = 0; i < doorLimits.strangersMax + 300; i++) {
        const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
        sockets.push(socket.on('error', () => {}).resume());
        await once(socket, 'connect');
      }
      await eventually(() => /to make room/.test(cluster.log()), 10_000, 'room to be made');
      await cluster.addAgent('newcomer', { cores: 1, args: right });
      const { code, stderr } = await cluster.regatta(['run', 'noop', '--set', 'count=100', ...right]);
      assert.equal(code, 0, stderr);
      const { nodes } = await statusNow();
      assert.deepEqual(
        nodes.map(({ id, state }) => `${id} ${state}`),
        ['newcomer alive', 'node-1 alive'],
      );
      assert.ok(open() <= before + doorLimits.strangersMax + 10, `${open()} file descriptors, ${before} before`);
      const lines = cluster.log().match(/closed .* to make room: there were/g) ?? [];
      assert.ok(lines.length >= 1 && lines.length <= 3, lines.join('\n'));
      assert.doesNotMatch(cluster.log(), /node lost/);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  it('bounds how many calls one connection may leave open', async () => {
    const session = connect(`http://${cluster.address}`);
    await once(session, 'remoteSettings');
    assert.equal(session.remoteSettings.maxConcurrentStreams, 1_000);
    session.destroy();
  });

  it('tells strangers its health, and nothing by reflection', async () => {
    assert.equal(
      await ask('grpc-health-check', 'proto/health/v1/health.proto', 'grpc.health.v1.Health', 'check'),
      status.OK,
    );
    const reflection = 'build/proto/grpc/reflection/v1/reflection.proto';
    const method = [
      '@grpc/reflection',
      reflection,
      'grpc.reflection.v1.ServerReflection',
      'serverReflectionInfo',
    ] as const;
    assert.equal(await ask(...method), status.UNAUTHENTICATED);
  });

  /** @returns the status of a call without a token */
  async function ask(module: string, proto: string, service: string, method: string): Promise<status> {
    const definition = loadSync(join(dirname(require.resolve(`${module}/package.json`)), proto));
    const Stub = service
      .split('.')
      .reduce<unknown>((found, part) => (found as Record<string, unknown>)[part], loadPackageDefinition(definition));
    const client = new (Stub as ServiceClientConstructor)(cluster.address, credentials.createInsecure());
    const { requestStream } = client[method] as unknown as { requestStream: boolean };
    try {
      return await new Promise<status>((resolve) => {
        const done = (error: ServiceError | null): void => resolve(error?.code ?? status.OK);
        if (!requestStream) return void client[method]!({}, done);
        const stream = client[method]!();
        stream.on('data', () => done(null)).on('error', done);
        stream.write({ listServices: '' });
      });
    } finally {
      client.close();
    }
  }

  it('lets a node in once its token is replaced by the right one; until then it says in one line which option to give', async () => {
    const path = file(cluster.sandbox, 'replaced', wrong);
    const args = ['--id', 'late', '--coordinator', cluster.address, '--cores', '1', '--token-file', path];
    const agent = cluster.sandbox.startAgent(args);
    await agent.says(/does not take the token that it was given; give its own by --token-file/);
    assert.ok(!(await statusNow()).nodes.some(({ id }) => id === 'late'));
    // At least one more try, with the file in the midst of being written.
    const { wrong: tries } = (await statusNow()).access.refused;
    file(cluster.sandbox, 'replaced', '');
    await eventually(async () => (await statusNow()).access.refused.wrong > tries, 10_000, 'another try of the node');
    file(cluster.sandbox, 'replaced', token);
    await agent.says(/node late joined/);
    const { stderr, code } = await end(agent);
    assert.equal(code, 0);
    assert.equal(stderr.match(/does not take the token/g)?.length, 1, stderr);
  });

  it('refuses a node that has none, and that says so', async () => {
    const agent = cluster.sandbox.startAgent(['--id', 'stranger', '--coordinator', cluster.address, '--cores', '1']);
    await agent.says(
      /this coordinator wants a token, and was given none; give it by --token-file FILE or REGATTA_TOKEN/,
    );
    assert.equal((await end(agent)).code, 0);
  });

  it('has its token seen by nobody: not in logs, process lists, or what host processes inherit', async () => {
    const args = ['--id', 'by-variable', '--coordinator', cluster.address, '--cores', '1', '--log-level', 'debug'];
    const agent = cluster.sandbox.startAgent(args, { REGATTA_TOKEN: token });
    await agent.says(/node by-variable joined/);
    const { code, stdout, stderr } = await cluster.regatta(['run', 'noop', ...right]);
    assert.equal(code, 0, stderr);
    const pids = cluster.sandbox.processes();
    assert.ok(pids.length >= 4, `${pids.length} processes`);
    for (const pid of pids) assert.ok(!readProc(pid, 'cmdline').includes(token), `process ${pid}`);
    const hosts = [agent.child.pid!, ...cluster.agents.map(({ pid }) => pid)].flatMap(childrenOf);
    assert.ok(hosts.length >= 2, `${hosts.length} hosts`);
    for (const pid of hosts) {
      const environment = readProc(pid, 'environ');
      assert.match(environment, /REGATTA_STATE_DIR=/);
      assert.ok(!environment.includes(token), `host ${pid}`);
    }
    const told = [stdout, stderr, (await end(agent)).stderr, cluster.log(), JSON.stringify(await statusNow())].join();
    assert.match(told, /by-variable/);
    assert.ok(!told.includes(token));
  });
});

describe('a token that is no good', () => {
  let sandbox: Sandbox;
  before(() => {
    sandbox = new Sandbox();
  });
  after(() => sandbox.discard());

  const bad: readonly (readonly [what: string, name: string, text: string | undefined, says: RegExp])[] = [
    ['in an empty file', 'empty', ' \n', /empty is empty; --token-file names a file that holds the secret alone$/m],
    ['that is short', 'short', token.slice(0, 15), /short has 15 characters; it must have at least 16$/m],
    ['in no file', 'missing', undefined, /cannot read what --token-file names: ENOENT/],
  ];
  for (const [what, name, text, says] of bad) {
    it(`${what} is refused with exit code 2 and one line by serve, a command and a node-agent`, async () => {
      const path = text === undefined ? join(sandbox.directory, name) : file(sandbox, name, text);
      assertRefused(await sandbox.regatta(['serve', '--listen', '127.0.0.1:0', '--token-file', path]), 2, says);
      assertRefused(await sandbox.regatta(['status', '--coordinator', '127.0.0.1:1', '--token-file', path]), 2, says);
      assertRefused(await sandbox.agent(['--coordinator', '127.0.0.1:1', '--token-file', path]), 2, says);
    });
  }
});

describe('listening for other hosts', () => {
  let sandbox: Sandbox;
  before(() => {
    sandbox = new Sandbox();
  });
  after(() => sandbox.discard());

  const OPEN =
    /--listen 0\.0\.0\.0:0 is open to other hosts and asks for no token: give --token-file FILE, .*--insecure$/m;

  for (const command of ['serve', 'up']) {
    it(`is refused without a token, with exit code 2 and one line, by ${command}`, async () => {
      assertRefused(await sandbox.regatta([command, '--listen', '0.0.0.0:0']), 2, OPEN);
      for (const REGATTA_INSECURE of ['', '0']) {
        assertRefused(await sandbox.regatta([command], { REGATTA_LISTEN: '0.0.0.0:0', REGATTA_INSECURE }), 2, OPEN);
      }
      assert.deepEqual(sandbox.processes(), []);
    });
  }

  it('goes with a token, and says that nothing is encrypted', async () => {
    const serve = sandbox.start(['serve', '--listen', '0.0.0.0:0'], { REGATTA_TOKEN: token });
    await serve.says(/"level":30,.*is not encrypted/);
    const { code, stderr } = await end(serve);
    assert.deepEqual([code, /INSECURE/.test(stderr)], [0, false], stderr);
  });

  it('goes without one by --insecure, which is said loudly: at the start and in the status', async () => {
    const listen = ['--listen', '0.0.0.0:0', '--insecure', '--log-level', 'info'];
    const { child, address, log } = await startCoordinator(sandbox, listen);
    assert.match(
      log(),
      /"level":40,.*"msg":"INSECURE: --listen 0\.0\.0\.0:0 is open to other hosts and asks for no token/,
    );
    const here = ['--coordinator', address.replace('0.0.0.0', '127.0.0.1')];
    const { stdout } = await sandbox.regatta(['status', ...here]);
    assert.match(stdout, /^INSECURE: --listen 0\.0\.0\.0:0 is open .*: whoever reaches it can join, submit runs/m);
    const { access } = await sandbox.json<StatusJson>(['status', ...here]);
    assert.deepEqual([access.token, access.insecure.length], [false, 1]);
    child.kill('SIGTERM');
    await once(child, 'exit');
  });

  it('goes without one by REGATTA_INSECURE=1, likewise', async () => {
    const serve = sandbox.start(['serve', '--listen', '0.0.0.0:0'], { REGATTA_INSECURE: '1' });
    await serve.says(/"level":40,.*"msg":"INSECURE: --listen/);
    assert.equal((await end(serve)).code, 0);
  });
});

describe('NATS on another host', () => {
  let sandbox: Sandbox;
  before(() => {
    sandbox = new Sandbox();
  });
  after(() => sandbox.discard());
  // To its text another host; what dials it stays on this one, and finds nobody.
  const FAR = '0.0.0.0:1';

  it('is refused without credentials, with exit code 2 and one line, by serve and by a node-agent', async () => {
    const says =
      /NATS at nats:\/\/0\.0\.0\.0:1 is on another host and is given no credentials: give --nats-user .*--insecure$/m;
    assertRefused(await sandbox.regatta(['serve', '--listen', '127.0.0.1:0', '--nats', FAR]), 2, says);
    assertRefused(await sandbox.agent(['--coordinator', '127.0.0.1:1', '--nats', FAR]), 2, says);
  });

  it('is used with credentials, from files that the environment names, too', async () => {
    const password = file(sandbox, 'password', 'nats-secret\n');
    const environment = { REGATTA_NATS: FAR, REGATTA_NATS_USER: 'me', REGATTA_NATS_PASSWORD_FILE: password };
    const serve = sandbox.start(['serve', '--listen', '127.0.0.1:0'], environment);
    await serve.says(/coordinator listens on/);
    const agent = sandbox.startAgent(['--coordinator', '127.0.0.1:1', '--cores', '1'], environment);
    await agent.says(/cannot reach a coordinator/);
    for (const process of [serve, agent]) {
      const { code, stderr } = await end(process);
      assert.deepEqual([code, /INSECURE|nats-secret/.test(stderr)], [0, false], stderr);
    }
  });

  it('is used without any by --insecure, which both say loudly', async () => {
    const serve = sandbox.start(['serve', '--listen', '127.0.0.1:0', '--nats', FAR, '--insecure']);
    const agent = sandbox.startAgent(['--coordinator', '127.0.0.1:1', '--cores', '1', '--nats', FAR, '--insecure']);
    for (const process of [serve, agent]) {
      await process.says(/"level":40,.*"msg":"INSECURE: NATS at nats:\/\/0\.0\.0\.0:1 is on another host/);
      assert.equal((await end(process)).code, 0);
    }
  });
});

describe('NATS that asks who we are', () => {
  it('is used by nodes that are told where it is, with credentials of their own', async () => {
    await using nats = await startNats({ user: 'me', password: 'nats-secret' });
    const place = new Sandbox();
    const account = ['--nats-user', 'me', '--nats-password-file', file(place, 'password', 'nats-secret\n')];
    const server = ['--nats', nats.url.replace(/^.*[/@]/, '')];
    await using cluster = await Cluster.start({ agents: 1, agentArgs: account, serveArgs: [...server, ...account] });
    const run = await cluster.json<{ succeeded: number }>([
      'run',
      'io-wait',
      '--set',
      'count=20',
      '--transport',
      'nats',
    ]);
    assert.equal(run.succeeded, 20);
    await place.discard();
  });
});

describe('a cluster on this machine', () => {
  it('asks for no token, and does not mind being shown one', async () => {
    await using sandbox = new Sandbox();
    const environment = { REGATTA_TOKEN: token, REGATTA_NO_NATS: '1' };
    const alone = await sandbox.json<{ succeeded: number }>(['run', 'noop', '--set', 'count=5'], environment);
    assert.equal(alone.succeeded, 5);
    await sandbox.regatta(['up', '--agents', '1'], { REGATTA_NO_NATS: '1' });
    try {
      const up = await sandbox.json<{ succeeded: number }>(['run', 'noop', '--set', 'count=5'], environment);
      assert.equal(up.succeeded, 5);
    } finally {
      await sandbox.regatta(['down']);
    }
  });

  it('that was started with one asks for it', async () => {
    await using sandbox = new Sandbox();
    const { code, stderr } = await sandbox.regatta(['up', '--agents', '1'], {
      REGATTA_TOKEN: token,
      REGATTA_NO_NATS: '1',
    });
    assert.equal(code, 0, stderr);
    try {
      assertRefused(await sandbox.regatta(['status']), 3, /this coordinator wants a token/);
      const path = file(sandbox, 'token', token);
      assert.equal((await sandbox.json<StatusJson>(['status', '--token-file', path])).nodes.length, 1);
    } finally {
      await sandbox.regatta(['down']);
    }
  });
});

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
}
