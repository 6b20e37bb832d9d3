import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Broker } from '@regatta/broker';
import { startNats } from '@regatta/broker/testing';
import type { ClusterState } from '../../services/coordinator/src/embedded/state.ts';
import { eventually, isConnectedTo, isRunning, type RunningCli, Sandbox } from './cluster.ts';
import type { RunJson } from './wire.ts';

const work = ['run', 'number-cruncher', '--set', 'n=1000', '--set', 'count=3'];
const stateOf = ({ directory }: Sandbox): ClusterState =>
  JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as ClusterState;
const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** Of the processes of this sandbox, those that are a nats-server. */
const natsServersOf = (sandbox: Sandbox): number[] =>
  sandbox
    .processes()
    .filter((pid) => /nats-server$/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? ''));

describe('the nats-server of a cluster that up started', () => {
  it('runs with its store in the state directory, is used by the coordinator, and ends with down, its store too', async () => {
    await using sandbox = new Sandbox();
    assert.equal((await sandbox.regatta(['up'])).code, 0);
    const { nats, coordinator } = stateOf(sandbox);
    assert.deepEqual(natsServersOf(sandbox), [nats!.pid]);
    assert.ok(existsSync(join(sandbox.directory, 'nats', 'store', 'jetstream')));
    await eventually(() => isConnectedTo(coordinator.pid, portOf(nats!.address)), 5_000, 'the coordinator to connect');
    await eventually(() => sandbox.log('coordinator.log').includes('NATS is ready'), 5_000, 'the log to say so');
    const { password } = credentials(sandbox);
    const told = ['cluster.json', 'coordinator.log'].map((file) => sandbox.log(file)).join('');
    assert.ok(!told.includes(password));
    assert.equal((await sandbox.regatta(['down'])).code, 0);
    assert.deepEqual(sandbox.processes(), []);
    assert.ok(!existsSync(join(sandbox.directory, 'nats')));
  });

  it('lets nobody in without the password that is in a file of this user', async () => {
    await using sandbox = new Sandbox();
    await sandbox.regatta(['up']);
    const { nats } = stateOf(sandbox);
    const stranger = new Broker({ servers: [nats!.address], name: 'stranger' });
    const complaint = await new Promise((resolve) => stranger.onState(resolve));
    await stranger.close();
    assert.match(JSON.stringify(complaint), /wants credentials and we were given none/);
    const broker = new Broker({ servers: [nats!.address], name: 'test', ...credentials(sandbox) });
    const { nc } = await broker.connected();
    assert.equal(nc.info?.jetstream, true);
    await broker.close();
  });

  it('is told to be gone where it was killed, and no run is taken that could not be recorded', async () => {
    await using sandbox = new Sandbox();
    await sandbox.regatta(['up']);
    process.kill(stateOf(sandbox).nats!.pid, 'SIGKILL');
    await eventually(() => natsServersOf(sandbox).length === 0, 3_000, 'the server to go');
    const { code, stderr } = await sandbox.regatta(['status']);
    assert.equal(code, 0);
    const told = 'The nats-server that up started is gone; regatta down, then regatta up, starts another.\n';
    assert.equal(stderr, told);
    const refused = await sandbox.regatta(work);
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.stderr,
      /^regatta: the run was not taken, and can be once this is mended: [^\n]*NATS[^\n]*\n$/,
    );
    assert.equal((await sandbox.regatta(['down'])).code, 0);
    assert.deepEqual(sandbox.processes(), []);
  });

  it('keeps what it stored where up finds that the coordinator was killed', async () => {
    await using sandbox = new Sandbox();
    await sandbox.regatta(['up']);
    const before = stateOf(sandbox);
    const broker = new Broker({ servers: [before.nats!.address], name: 'test', ...credentials(sandbox) });
    const { jsm } = await broker.connected();
    await jsm.streams.add({ name: 'kept', subjects: ['kept'] });
    await broker.close();
    process.kill(before.coordinator.pid, 'SIGKILL');
    await eventually(() => !isRunning(before.coordinator.pid), 3_000, 'the coordinator to die');
    assert.equal((await sandbox.regatta(['up'])).code, 0);
    assert.equal(isRunning(before.nats!.pid), false);
    assert.ok(existsSync(join(sandbox.directory, 'nats', 'store', 'jetstream', '$G', 'streams', 'kept')));
  });

  it('may run beside that of another cluster', async () => {
    await using one = new Sandbox();
    await using other = new Sandbox();
    await Promise.all([one.regatta(['up']), other.regatta(['up'])]);
    const [a, b] = [stateOf(one).nats!, stateOf(other).nats!];
    assert.notEqual(a.address, b.address);
    await one.regatta(['down']);
    assert.equal(isRunning(b.pid), true);
    await other.regatta(['down']);
    assert.equal(isRunning(b.pid), false);
  });

  it('is none with --no-nats, which is said, and CPU runs need none', async () => {
    await using sandbox = new Sandbox();
    const { code, stderr } = await sandbox.regatta(['up', '--no-nats'], { REGATTA_NATS: 'nats://127.0.0.1:1' });
    assert.deepEqual([code, stderr], [0, 'No NATS: no journal, and I/O runs go over gRPC.\n']);
    assert.deepEqual(natsServersOf(sandbox), []);
    assert.equal(stateOf(sandbox).nats, undefined);
    assert.match(sandbox.log('coordinator.log'), /no NATS: no journal, and I\/O runs go over gRPC/);
    assert.equal((await sandbox.json<RunJson>(work)).state, 'succeeded');
    await sandbox.regatta(['down']);
  });

  it('is none where the environment names another, which is used', async () => {
    await using sandbox = new Sandbox();
    await using nats = await startNats();
    assert.equal((await sandbox.regatta(['up'], { REGATTA_NATS: nats.url })).code, 0);
    assert.deepEqual(natsServersOf(sandbox), []);
    const { coordinator } = stateOf(sandbox);
    await eventually(() => isConnectedTo(coordinator.pid, nats.port), 5_000, 'the coordinator to connect');
    await sandbox.regatta(['down']);
  });

  it('that does not start is said to in one line, and nothing stays', async () => {
    await using sandbox = new Sandbox();
    mkdirSync(join(sandbox.directory, 'nats'));
    writeFileSync(join(sandbox.directory, 'nats', 'store'), 'no folder');
    const { code, stderr } = await sandbox.regatta(['up']);
    assert.equal(code, 3);
    assert.match(
      stderr,
      /^regatta: the nats-server did not start: Can't start JetStream: .*; see \S+nats-server\.log\n$/,
    );
    await sandbox.nothingLeft();
  });
});

describe('the nats-server of a run that starts a cluster of its own', () => {
  const long = ['run', 'synthetic', '--set', 'count=50000', '--set', 'cpuMs=20'];

  async function begun(sandbox: Sandbox): Promise<RunningCli> {
    const cli = sandbox.start(long);
    cli.ended.catch(() => {});
    await cli.says(/of 50,000 tasks/);
    return cli;
  }

  it('ends with it, and all that it wrote is gone', async () => {
    await using sandbox = new Sandbox();
    const cli = await begun(sandbox);
    assert.equal(natsServersOf(sandbox).length, 1);
    const folder = join(sandbox.directory, `own-${cli.child.pid}`);
    assert.ok(existsSync(join(folder, 'nats', 'store')));
    cli.child.kill('SIGINT');
    assert.equal((await cli.ended).code, 130);
    assert.deepEqual(sandbox.processes(), []);
    assert.ok(!existsSync(folder));
  });

  it('ends with it though it was killed with -9, and its store is gone', async () => {
    await using sandbox = new Sandbox();
    const cli = await begun(sandbox);
    assert.equal(natsServersOf(sandbox).length, 1);
    cli.child.kill('SIGKILL');
    await sandbox.nothingLeft(8_000);
    assert.ok(!existsSync(join(sandbox.directory, `own-${cli.child.pid}`, 'nats')));
  });

  it('may be gone without by every command that may start one, as their help says', async () => {
    await using sandbox = new Sandbox();
    for (const command of ['up', 'demo', 'run', 'race']) {
      assert.match((await sandbox.regatta([command, '--help'])).stdout, /^ +--no-nats +\S/m, command);
    }
  });

  for (const [command, ...args] of [work, ['race', 'noop', '--repeat', '1']]) {
    it(`is none for ${command} --no-nats`, async () => {
      await using sandbox = new Sandbox();
      const cli = sandbox.start([command!, ...args, '--no-nats']);
      await cli.says(/No NATS: no journal, and I\/O runs go over gRPC\./);
      assert.deepEqual(natsServersOf(sandbox), []);
      cli.child.kill('SIGINT');
      await cli.ended;
      await sandbox.nothingLeft();
    });
  }
});

describe('serve --nats', () => {
  const serve = (sandbox: Sandbox, ...args: string[]): RunningCli =>
    sandbox.start(['serve', '--listen', '127.0.0.1:0', ...args]);

  async function ends({ child, ended, says }: RunningCli): Promise<void> {
    await says(/coordinator listens on/);
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
  }

  it('stays up where there is none, says so in one line, and connects when it comes', async () => {
    await using sandbox = new Sandbox();
    const nats = await startNats();
    await nats.stop();
    const cli = serve(sandbox, '--nats', nats.url);
    await cli.says(/"msg":"no NATS server answers at [^"]*:\d+ \(connection refused\)[^"]*"/);
    await nats.restart();
    await cli.says(/"msg":"NATS is ready"/);
    await using _ = nats;
    await ends(cli);
  });

  it('ends at once when told to, though NATS never came', async () => {
    await using sandbox = new Sandbox();
    const cli = serve(sandbox, '--nats', '127.0.0.1:1');
    await cli.says(/no NATS server answers/);
    await cli.says(/coordinator listens on/);
    const start = performance.now();
    await ends(cli);
    assert.ok(performance.now() - start < 3_000);
  });

  it('stays up where it is refused, says so in one line without the password, and gets in when that is mended', async () => {
    await using sandbox = new Sandbox();
    await using nats = await startNats({ user: 'me', password: 'right' });
    const password = join(sandbox.directory, 'password');
    writeFileSync(password, 'wr0ng-secret\n');
    const cli = serve(sandbox, '--nats', nats.url, '--nats-user', 'me', '--nats-password-file', password);
    await cli.says(/"msg":"NATS at [^"]*:\d+ refuses user me or the password[^"]*"/);
    await nats.restart({ password: 'wr0ng-secret' });
    await cli.says(/"msg":"NATS is ready"/);
    await ends(cli);
    const { stderr } = await cli.ended;
    assert.ok(!stderr.includes('wr0ng-secret'));
    assert.equal(stderr.match(/refuses user/g)?.length, 1);
  });

  it('stays up where there is no JetStream, and says so in one line', async () => {
    await using sandbox = new Sandbox();
    await using nats = await startNats({ jetstream: false });
    const cli = serve(sandbox, '--nats', nats.url);
    await cli.says(/"msg":"NATS at [^"]*:\d+ has no JetStream[^"]*"/);
    await ends(cli);
  });

  it('says that there is none where none is named', async () => {
    await using sandbox = new Sandbox();
    const cli = serve(sandbox);
    await cli.says(/"msg":"no NATS: no journal, and I\/O runs go over gRPC"/);
    await ends(cli);
  });

  it('is refused in one line where it makes no sense, here and for a node-agent', async () => {
    await using sandbox = new Sandbox();
    const { code, stderr } = await sandbox.regatta(['serve', '--nats', 'http://127.0.0.1']);
    assert.equal(code, 2);
    assert.match(stderr, /^regatta: "http:\/\/127.0.0.1" is no NATS server; give [^\n]*\n$/);
    const agent = await sandbox.agent(['--nats', 'http://127.0.0.1']);
    assert.equal(agent.code, 2);
    assert.match(agent.stderr, /^error: "http:\/\/127.0.0.1" is no NATS server; give [^\n]*\n$/);
  });
});

function credentials({ directory }: Sandbox): { user: string; password: string } {
  const text = readFileSync(join(directory, 'nats', 'nats-server.conf'), 'utf8');
  const [, user, password] = /user: "(.*?)", password: "(.*?)"/.exec(text)!;
  return { user: user!, password: password! };
}
