/** `regatta doctor` on real deployments: sound ones, and then with one thing wrong at a time. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { availableParallelism as osCores } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { type NatsServer, startNats, startNatsCluster } from '@regatta/broker/testing';
import {
  type ConnectRequest,
  type ConnectResponse,
  Heartbeat,
  Hello,
  NodeLinkServiceClient,
} from '@regatta/proto/node';
import { Prometheus, whyNoPrometheus } from '../grafana/prometheus.ts';
import { Cluster, eventually, Sandbox, startCoordinator } from './cluster.ts';

interface Check {
  readonly group: string;
  readonly name: string;
  readonly level: 'ok' | 'warning' | 'wrong';
  readonly what: string;
  readonly mend: string | null;
}

interface Doctor {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

const wrongs = ({ checks }: Doctor): Check[] => checks.filter(({ level }) => level === 'wrong');
const told = (doctor: Doctor, group: string, name: string): Check => {
  const found = doctor.checks.find((check) => check.group === group && check.name === name);
  assert.ok(found !== undefined, `nothing of ${group}, ${name} in ${JSON.stringify(doctor.checks, undefined, 1)}`);
  return found;
};

function secret({ directory }: Sandbox, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const LOOPBACK = ['--metrics', '127.0.0.1:0'];

/** A node that somebody plays, with a clock of its own. */
function nodeByHand(address: string, hello: Partial<Hello>): { stream: NodeStream; end(): void } {
  const client = new NodeLinkServiceClient(address, credentials.createInsecure());
  const stream: NodeStream = client.connect();
  stream.on('error', () => {});
  const machine = {
    id: 'm',
    hostname: 'h',
    osCores: 1,
    quotaCores: 1,
    quotaLimited: false,
    memoryBytes: 1e9,
    cores: 1,
  };
  const own = { protocolMin: 1, protocolMax: 1, nodeId: 'by-hand', machine, version: '0.1.0', runtime: 'node24' };
  stream.write({ frame: { $case: 'hello', value: Hello.fromPartial({ ...own, instance: 'x', ...hello }) } });
  return {
    stream,
    end: () => {
      stream.cancel();
      client.close();
    },
  };
}
type NodeStream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

const answerOn = (stream: NodeStream): Promise<ConnectResponse['frame']> =>
  new Promise((resolve) => void stream.once('data', ({ frame }: ConnectResponse) => resolve(frame)));

describe('the doctor at a deployment with NATS and Prometheus', { skip: whyNoPrometheus }, () => {
  const place = new Sandbox();
  let nats: NatsServer;
  let cluster: Cluster;
  let prometheus: Prometheus;
  let site: readonly string[];
  let whole: readonly string[];

  const examine = (...args: string[]): Promise<Doctor> => cluster.json<Doctor>(['doctor', ...whole, ...args]);

  before(async () => {
    nats = await startNats({ user: 'regatta', password: 'right password' });
    const credentials = ['--nats-user', 'regatta', '--nats-password-file', secret(place, 'nats', 'right password')];
    site = ['--nats', nats.url, ...credentials];
    cluster = await Cluster.start({
      agents: 2,
      cores: 1,
      serveArgs: [...site, ...LOOPBACK],
      agentArgs: [...credentials, ...LOOPBACK],
    });
    const { coordinator } = await cluster.json<{ coordinator: { metrics: string } }>(['status']);
    prometheus = await Prometheus.start(configFor(new URL(coordinator.metrics).host));
    whole = [...site, '--prometheus', prometheus.url];
    await scraped(3);
    await cluster.json(['run', 'noop', '--transport', 'nats', '--set', 'count=5']);
  });
  after(async () => {
    await prometheus?.stop();
    await cluster?.stop();
    await nats?.[Symbol.asyncDispose]();
    await place.discard();
  });

  const scraped = (up: number): Promise<void> =>
    eventually(async () => (await prometheus.query('up == 1')).length === up, 30_000, `${up} targets to be up`);

  const configFor = (metrics: string): string => `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${fileURLToPath(new URL('../../deploy/prometheus/rules/*.yaml', import.meta.url))}']
scrape_configs:
  - job_name: regatta-coordinator
    static_configs: [{ targets: ['${metrics}'] }]
  - job_name: regatta-nodes
    http_sd_configs: [{ url: 'http://${metrics}/sd', refresh_interval: 1s }]
`;

  it('finds nothing wrong where nothing is, has looked at all of it, and ends with 0', async () => {
    const known = async (): Promise<boolean> => !/not known/.test(told(await examine(), 'nodes', 'node-1 clock').what);
    await eventually(known, 10_000, 'the clock of node-1 to be known');
    const { code, stdout, stderr } = await cluster.regatta(['doctor', ...whole, '--json']);
    const doctor = JSON.parse(stdout) as Doctor;
    assert.deepEqual(wrongs(doctor), []);
    assert.deepEqual([doctor.ok, code, stderr], [true, 0, '']);
    for (const [group, name, says] of [
      ['coordinator', cluster.address, /^leads$/],
      ['coordinator', 'journal', /^in NATS at/],
      ['nodes', 'node-1', /^alive, .* on node24, link protocol 1$/],
      ['nodes', 'node-2 clock', /^within .* of the coordinator's$/],
      ['nodes', 'node-2 memory', /^1 × .* of /],
      ['ports', 'metrics of node-1', / answers$/],
      ['NATS', 'version', /^2\./],
      ['NATS', 'REGATTA_JOURNAL', /^one copy, .* of 4\.0 GiB$/],
      ['NATS', 'REGATTA_WORK', /^one copy/],
      ['NATS', 'REGATTA_OUTCOMES', /^one copy/],
      ['Prometheus', 'regatta-coordinator', /^1 of 1 target is up$/],
      ['Prometheus', 'regatta-nodes', /^2 of 2 targets are up$/],
      ['Prometheus', 'rules', /^all 6 groups are loaded$/],
    ] as const) {
      assert.match(told(doctor, group, name).what, says);
    }
  });

  it('says it to people in lines, with no colours in a pipe', async () => {
    const { code, stdout } = await cluster.regatta(['doctor', ...site]);
    assert.equal(code, 0);
    assert.match(stdout, /^ok {7}coordinator {2}127\.0\.0\.1:\d+ +leads$/m);
    assert.match(stdout, /\n\n\d+ ok, 0 skipped, \d+ warnings?, 0 wrong\n$/);
    assert.ok(!stdout.includes('\x1b'));
  });

  it('finds a node with more cores than its machine has, and one whose metrics Prometheus cannot reach', async () => {
    const args = [...site.slice(2), '--prestart', '1', ...LOOPBACK, '--advertise-metrics', '127.0.0.1:2'];
    const { child } = await cluster.addAgent('greedy', { cores: 500, args });
    const isDown = async (): Promise<boolean> => (await prometheus.query('up{node="greedy"} == 0')).length === 1;
    await eventually(isDown, 20_000, 'Prometheus to try');
    const { code, stdout } = await cluster.regatta(['doctor', ...whole, '--json']);
    child.kill('SIGTERM');
    const doctor = JSON.parse(stdout) as Doctor;
    assert.deepEqual([code, doctor.ok], [1, false]);
    const lanes = told(doctor, 'nodes', 'greedy lanes');
    assert.match(`${lanes.level}: ${lanes.what}`, /^wrong: 500 lanes on \d+ cores?: they hold each other up$/);
    assert.match(lanes.mend!, /--cores \d+ /);
    const down = wrongs(doctor).find(({ name }) => name === 'regatta-nodes');
    assert.match(down!.what, /^greedy at 127\.0\.0\.1:2 is down: .*refused$/);
    assert.match(told(doctor, 'ports', 'metrics of greedy').what, /not reachable from here \(connection refused\)/);
    assert.equal(wrongs(doctor).filter(({ name }) => !/^alert /.test(name)).length, 2, JSON.stringify(wrongs(doctor)));
    const known = async (): Promise<number> => (await prometheus.query('up')).length;
    await eventually(async () => (await known()) === 3, 30_000, 'it to be gone');
  });

  it('finds a run that is wider than a node has cores', async () => {
    const processes = osCores() + 1;
    const wide = ['--model', 'processes', '--processes', `${processes}`, '--policy', 'self', '--chunk', '1'];
    const run = cluster.start(['run', 'synthetic', '--set', 'count=2000', '--set', 'cpuMs=20', ...wide, '--json']);
    const ends = async (): Promise<boolean> =>
      (await cluster.json<{ succeeded: number }[]>(['runs'])).some(
        ({ succeeded }) => succeeded >= 4 && succeeded < 2_000,
      );
    await eventually(ends, 20_000, 'tasks of it to end');
    const doctor = await cluster.json<Doctor>(['doctor', ...site]);
    run.child.kill('SIGINT');
    await run.ended;
    const wider = doctor.checks.filter(
      ({ name, what }) => / lanes$/.test(name) && / has \d+ there: they hold/.test(what),
    );
    assert.ok(wider.length > 0, JSON.stringify(doctor.checks, undefined, 1));
    assert.match(
      wider[0]!.what,
      new RegExp(`^1 lane on .*cores?, and run-\\S+ has ${processes} there: they hold each other up$`),
    );
    assert.equal(wider[0]!.level, 'warning');
  });

  it('finds a wrong NATS password, and says which options to give', async () => {
    const bad = secret(place, 'bad', 'wrong password');
    const doctor = await examine('--nats-password-file', bad);
    const [only, ...more] = wrongs(doctor);
    assert.deepEqual([only?.group, more.length], ['NATS', 0]);
    assert.match(only!.what, /refuses user regatta or the password$/);
    assert.match(only!.mend!, /--nats-password-file/);
    assert.doesNotMatch(JSON.stringify(doctor), /(right|wrong) password/);
  });

  it('does not blame a NATS that only the coordinator need reach', async () => {
    const doctor = await cluster.json<Doctor>(['doctor']);
    assert.deepEqual([doctor.ok, wrongs(doctor)], [true, []]);
    assert.match(told(doctor, 'NATS', `127.0.0.1:${nats.port}`).what, /^not looked at from here: .*wants credentials/);
  });

  it('finds a stand-by, and by it the one that leads', async (test: TestContext) => {
    const { child, address } = await startCoordinator(cluster.sandbox, [...site]);
    test.after(() => child.kill('SIGTERM'));
    const both = await cluster.sandbox.json<Doctor>([
      'doctor',
      ...site,
      '--coordinator',
      `${address},${cluster.address}`,
    ]);
    assert.deepEqual(wrongs(both), []);
    assert.equal(told(both, 'coordinator', address).what, `stands by; ${cluster.address} leads`);
    assert.equal(told(both, 'coordinator', 'leadership').what, `${cluster.address} leads, 1 of those seen stand by`);
    const one = await cluster.sandbox.json<Doctor>(['doctor', '--coordinator', address]);
    assert.equal(told(one, 'coordinator', cluster.address).what, 'leads');
    assert.equal(told(one, 'nodes', 'node-1').level, 'ok');
  });

  it('finds a node of an older protocol that was refused, and says what to upgrade', async () => {
    const { stream, end } = nodeByHand(cluster.address, { nodeId: 'ancient', protocolMin: 0, protocolMax: 0 });
    assert.equal((await answerOn(stream))?.$case, 'refusal');
    end();
    const refused = told(await examine(), 'nodes', 'ancient');
    assert.match(
      `${refused.level}: ${refused.what}`,
      /^wrong: refused \d s ago, from .*protocol 0 to 0.*upgrade the node-agent/,
    );
  });

  it('finds a node whose clock is a minute ahead', async () => {
    const { stream, end } = nodeByHand(cluster.address, { nodeId: 'early' });
    assert.equal((await answerOn(stream))?.$case, 'welcome');
    for (let beats = 0; beats < 3; beats++) {
      const value = Heartbeat.fromPartial({ sentMs: beats, wallMs: Date.now() + 60_000, roundTripMs: beats });
      stream.write({ frame: { $case: 'heartbeat', value } });
      await answerOn(stream);
    }
    const clock = told(await examine(), 'nodes', 'early clock');
    end();
    assert.match(`${clock.level}: ${clock.what}`, /^wrong: (60\.\d|59\.\d) s ahead of the coordinator's$/);
  });

  it('finds NATS stopped, in what the coordinator, its nodes and NATS itself say', async () => {
    await nats.stop();
    const complaints = async (): Promise<Doctor> => examine();
    const settled = async (): Promise<boolean> => wrongs(await complaints()).some(({ name }) => name === 'journal');
    await eventually(settled, 10_000, 'the coordinator to notice');
    const doctor = await complaints();
    assert.match(told(doctor, 'coordinator', 'journal').what, /which cannot be used just now: .*lost NATS/);
    assert.equal(told(doctor, 'nodes', 'node-1 NATS').level, 'wrong');
    assert.match(told(doctor, 'NATS', `127.0.0.1:${nats.port}`).what, /no NATS server answers .*connection refused/);
    // The rest is looked at all the same.
    assert.equal(told(doctor, 'Prometheus', 'regatta-coordinator').level, 'ok');
    await nats.restart();
  });

  it('finds a stream that somebody has changed', async () => {
    await eventually(async () => told(await examine(), 'coordinator', 'journal').level === 'ok', 20_000, 'NATS again');
    const { connect } = await import('nats');
    const nc = await connect({ servers: nats.url, user: 'regatta', pass: 'right password' });
    const jsm = await nc.jetstreamManager();
    await jsm.streams.update('REGATTA_JOURNAL', { max_age: 3_600e9 });
    const changed = told(await examine(), 'NATS', 'REGATTA_JOURNAL');
    assert.match(`${changed.level}: ${changed.what}`, /^warning: has max_age 3600000000000 instead of 0$/);
    await nc.close();
  });

  it('tells of a Prometheus that is not there, in its own line', async () => {
    const doctor = await cluster.json<Doctor>(['doctor', '--prometheus', 'http://127.0.0.1:9999']);
    assert.match(told(doctor, 'Prometheus', '127.0.0.1:9999').what, /^cannot be asked: connection refused$/);
    assert.equal(told(doctor, 'nodes', 'node-1').level, 'ok');
  });

  it('bounds what hangs, and says so', async () => {
    nats.pause();
    const startedAt = performance.now();
    const doctor = await examine();
    const ms = performance.now() - startedAt;
    nats.resume();
    assert.match(told(doctor, 'NATS', `127.0.0.1:${nats.port}`).what, /hangs: no answer in 2000 ms/);
    assert.ok(ms < 8_000, `it took ${Math.round(ms)} ms`);
  });
});

describe('the doctor at a cluster that wants a token', () => {
  it('says without it which option to give, looks at what else there is, and ends with 3', async () => {
    await using place = new Sandbox();
    await using nats = await startNats();
    const right = ['--token-file', secret(place, 'right', 'the-right-token-of-this-cluster')];
    await using cluster = await Cluster.start({ agents: 1, serveArgs: right, agentArgs: right });
    for (const [args, says] of [
      [[], /wants a token, and was given none/],
      [['--token-file', secret(place, 'wrong', 'a-token-of-another-cluster')], /does not take the token/],
    ] as const) {
      const { code, stdout } = await cluster.regatta(['doctor', ...args, '--nats', nats.url, '--json']);
      const doctor = JSON.parse(stdout) as Doctor;
      assert.deepEqual([code, doctor.ok], [3, false]);
      assert.match(told(doctor, 'coordinator', cluster.address).what, says);
      assert.match(told(doctor, 'coordinator', cluster.address).mend!, /--token-file/);
      assert.equal(told(doctor, 'NATS', 'version').level, 'ok');
    }
    const doctor = await cluster.json<Doctor>(['doctor', ...right]);
    assert.deepEqual([doctor.ok, wrongs(doctor)], [true, []]);
    assert.match(told(doctor, 'coordinator', 'access').what, /^by token; \d calls? refused/);
    assert.equal(told(doctor, 'coordinator', 'journal').level, 'warning');
  });
});

describe('the doctor at a cluster that loses its nodes', () => {
  it('names each, with when it was last heard, and those that want a name that is taken', async () => {
    await using cluster = await Cluster.start({ agents: 2, cores: 1 });
    const examine = (): Promise<Doctor> => cluster.json<Doctor>(['doctor']);
    const isLost = (name: string) => async (): Promise<boolean> =>
      (await cluster.json<{ id: string; state: string }[]>(['nodes'])).some(
        ({ id, state }) => id === name && state === 'lost',
      );
    const kill = (name: string): unknown => cluster.agents.find(({ id }) => id === name)!.child.kill('SIGKILL');
    kill('node-1');
    await eventually(isLost('node-1'), 15_000, 'node-1 to be lost');
    const { stream, end } = nodeByHand(cluster.address, { nodeId: 'node-2' });
    assert.equal((await answerOn(stream))?.$case, 'refusal');
    end();
    const one = await examine();
    const lost = told(one, 'nodes', 'node-1');
    assert.match(`${lost.level}: ${lost.what}`, /^warning: lost; last heard \d+ s ago, from 127\.0\.0\.1:\d+ \(.+\)$/);
    assert.match(lost.mend!, /^start it again/);
    assert.ok(!one.checks.some(({ group, name }) => group === 'nodes' && name === 'nodes'), JSON.stringify(one.checks));
    const [taken, ...more] = wrongs(one);
    assert.deepEqual([taken?.name, more], ['node-2', []]);
    assert.match(taken!.what, /^refused \d+ s ago, from 127\.0\.0\.1:\d+: a node named node-2 is connected/);
    kill('node-2');
    await eventually(isLost('node-2'), 15_000, 'node-2 to be lost');
    const none = await examine();
    assert.equal(told(none, 'nodes', 'nodes').what, 'none is connected now');
    assert.equal(none.checks.filter(({ what }) => /^lost; last heard/.test(what)).length, 2);
  });
});

describe('the doctor at a NATS of three servers', () => {
  it('finds the one that is down, and what is no longer copied to it', async () => {
    await using nats = await startNatsCluster(3);
    await using place = new Sandbox();
    const site = ['--nats', nats.urls, '--nats-replicas', '3'];
    const { child, address } = await startCoordinator(place, site);
    const examine = (): Promise<Doctor> =>
      place.json<Doctor>(['doctor', '--coordinator', address, '--nats', nats.urls]);
    const copied = async (): Promise<boolean> => wrongs(await examine()).length === 0;
    await eventually(copied, 30_000, 'all copies to be current');
    assert.match(told(await examine(), 'NATS', 'REGATTA_JOURNAL').what, /^3 copies, all current/);
    const gone = nats.servers[2]!;
    await gone.stop();
    const noticed = async (): Promise<boolean> => wrongs(await examine()).some(({ what }) => /not current/.test(what));
    await eventually(noticed, 30_000, 'a copy to be behind');
    assert.equal(told(await examine(), 'NATS', `127.0.0.1:${gone.port}`).level, 'warning');
    child.kill('SIGTERM');
  });
});

describe('the doctor where there is no cluster', () => {
  it('says so, looks at what else it was told of, and ends with 3', async () => {
    await using nats = await startNats();
    await using place = new Sandbox();
    const { code, stdout } = await place.regatta(['doctor', '--nats', nats.url]);
    assert.equal(code, 3);
    assert.match(stdout, /^wrong +coordinator +cluster +none is up here, and none is named$/m);
    assert.match(stdout, /^ok +NATS +REGATTA_JOURNAL +is not there yet/m);
  });

  it('says that nobody listens at an address, or somebody else', async () => {
    await using nats = await startNats();
    await using place = new Sandbox();
    const closed = await place.regatta(['doctor', '--coordinator', '127.0.0.1:2']);
    assert.equal(closed.code, 3);
    assert.match(closed.stdout, /^wrong +coordinator +127\.0\.0\.1:2 +cannot be reached: connection refused$/m);
    const other = await place.regatta(['doctor', '--coordinator', `127.0.0.1:${nats.port}`]);
    assert.equal(other.code, 3);
    assert.match(other.stdout, /something listens, but no coordinator answers/);
  });

  it('refuses what is no URL, or a file that is not there, with exit code 2 and one line', async () => {
    await using place = new Sandbox();
    for (const args of [
      ['--prometheus', 'box'],
      ['--grafana', 'http://me:secret@box'],
      ['--grafana-token-file', '/nowhere'],
      ['--nats', 'http://box'],
      ['--token-file', '/nowhere'],
    ]) {
      const { code, stdout, stderr } = await place.regatta(['doctor', ...args]);
      assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [2, '', 1], `${args}: ${stderr}`);
      assert.ok(!/secret@/.test(stderr.replace("'http://me:secret@box'", '')), stderr);
    }
  });
});
