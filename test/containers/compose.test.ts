/** deploy/compose.yaml brought up as the README says, and looked at from outside. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '@regatta/broker/testing';
import { eventually, Sandbox } from '../integration/cluster.ts';
import { BUILD_MS_MAX, buildImages, docker, images, root, whyNoDocker } from './engine.ts';
import { Project, takeDownTheDead } from './project.ts';

const AGENTS = 3;
/** Grafana has no image that can be made offline. */
const SERVICES = ['nats', 'coordinator', 'node-agent', 'prometheus'];

let project: Project;
/** HOST:PORT, from outside. */
let coordinator: string;
let prometheus: string;
const sandbox = new Sandbox();

interface Inspected {
  readonly Name: string;
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[];
    readonly SecurityOpt: readonly string[];
    readonly Memory: number;
    readonly NanoCpus: number;
    readonly PidsLimit: number | null;
    readonly LogConfig: { readonly Config: Readonly<Record<string, string>> };
  };
  readonly Config: { readonly Env: readonly string[]; readonly Cmd: readonly string[] | null };
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly { HostIp: string }[] | null>> };
}

const inspected = async (service?: string): Promise<Inspected[]> =>
  JSON.parse(await docker('inspect', ...(await project.containers(service)))) as Inspected[];

const regatta = (...words: string[]) =>
  sandbox.json<Record<string, unknown>>([...words, '--coordinator', coordinator], {
    REGATTA_TOKEN_FILE: project.secretFile('join-token'),
  });

/** What `doctor --json` says. */
interface Diagnosis {
  readonly ok: boolean;
  readonly checks: readonly { readonly group: string; readonly level: string; readonly what: string }[];
}

interface Target {
  readonly labels: { readonly job: string; readonly node?: string };
  readonly health: string;
  readonly lastError: string;
}

async function targets(): Promise<Target[]> {
  const response = await fetch(`http://${prometheus}/api/v1/targets?state=active`);
  const { data } = (await response.json()) as { readonly data: { readonly activeTargets: Target[] } };
  return data.activeTargets;
}

describe('the cluster of deploy/compose.yaml', { skip: whyNoDocker }, () => {
  before(
    async () => {
      await takeDownTheDead();
      await buildImages();
      const [port, prometheusPort] = [await freePort(), await freePort()];
      coordinator = `127.0.0.1:${port}`;
      prometheus = `127.0.0.1:${prometheusPort}`;
      project = await Project.prepare({
        files: ['compose.yaml'],
        environment: { REGATTA_PORT: `${port}`, PROMETHEUS_PORT: `${prometheusPort}` },
      });
      const scale = `node-agent=${AGENTS}`;
      await project.compose(
        '--profile',
        'observability',
        'up',
        '--detach',
        '--no-build',
        '--scale',
        scale,
        ...SERVICES,
      );
    },
    { timeout: 2 * BUILD_MS_MAX },
  );
  after(async () => {
    await project?.down();
    await sandbox.discard();
  });

  it('runs work for a client outside that has the token', async () => {
    const joined = async (): Promise<boolean> => {
      const status = await regatta('status').catch(() => undefined);
      return (status?.nodes as unknown[] | undefined)?.length === AGENTS;
    };
    await eventually(joined, 60_000, `${AGENTS} nodes to join`);
    const cpu = await regatta('run', 'number-cruncher', '--set', 'count=30');
    const io = await regatta('run', 'io-wait', '--set', 'count=60', '--set', 'ms=20');
    assert.deepEqual([cpu.state, cpu.succeeded, io.state, io.succeeded], ['succeeded', 30, 'succeeded', 60]);
  });

  it('does nothing for one that has none, or another', async () => {
    const words = ['run', 'noop', '--coordinator', coordinator];
    const without = await sandbox.regatta(words);
    const wrong = await sandbox.regatta(words, { REGATTA_TOKEN: project.secret('metrics-token') });
    for (const { code, stdout, stderr } of [without, wrong]) {
      assert.deepEqual([code, stdout], [3, '']);
      assert.match(stderr, /^regatta: .*token.*\n$/);
    }
  });

  it('has a CLI within, which ends once it has answered', async () => {
    const startedAt = performance.now();
    const table = await project.compose('run', '--rm', '-T', 'cli', 'nodes', '--json');
    assert.equal(JSON.parse(table).length, AGENTS);
    // On a network without a name server: one that asks for more than addresses waits 25 s for nothing.
    assert.ok(performance.now() - startedAt < 20_000, 'it lingers');
  });

  it('has Prometheus find each node by itself, and scrape all of them', async () => {
    const up = async (): Promise<boolean> => {
      const found = await targets();
      return found.length === AGENTS + 2 && found.every(({ health }) => health === 'up');
    };
    const seen = async (): Promise<string> => JSON.stringify(await targets());
    await eventually(up, 30_000, 'all targets to be up').catch(async (thrown) => {
      throw new Error(`${thrown}: ${await seen()}`);
    });
    const nodes = (await targets()).filter(({ labels }) => labels.job === 'regatta-nodes');
    assert.equal(new Set(nodes.map(({ labels }) => labels.node)).size, AGENTS);
  });

  it('has a doctor within that finds nothing to mend, and nothing that it cannot look at', async () => {
    const words = ['doctor', '--prometheus', 'http://prometheus:9090', '--json'];
    const { ok, checks } = JSON.parse(await project.compose('run', '--rm', '-T', 'cli', ...words)) as Diagnosis;
    const looked = new Set(checks.map(({ group }) => group));
    assert.deepEqual([...looked], ['coordinator', 'nodes', 'ports', 'NATS', 'Prometheus']);
    const others = checks.filter(({ level }) => level === 'skipped' || level === 'wrong');
    assert.deepEqual([ok, others], [true, []]);
  });

  it('is in good health, as the engine sees it', async () => {
    const format = '{{range .State.Health.Log}}{{.Output}}{{end}}{{.State.Health.Status}}';
    for (const id of await project.containers()) {
      const health = (): Promise<string> => docker('inspect', '--format', format, id);
      const healthy = async (): Promise<boolean> =>
        (await health()).endsWith('healthy') && !(await health()).endsWith('unhealthy');
      await eventually(healthy, 40_000, `${id} to be healthy`);
    }
  });

  it('may do little: read-only, without capabilities, limited, and no root', async () => {
    const all = await inspected();
    assert.equal(all.length, SERVICES.length + AGENTS - 1);
    for (const { Name, HostConfig } of all) {
      const { ReadonlyRootfs, CapDrop, SecurityOpt, Memory, NanoCpus, LogConfig } = HostConfig;
      assert.deepEqual([ReadonlyRootfs, CapDrop, SecurityOpt], [true, ['ALL'], ['no-new-privileges:true']], Name);
      assert.ok(Memory > 0 && NanoCpus > 0 && LogConfig.Config['max-size'] !== undefined, Name);
    }
    const agents = await inspected('node-agent');
    assert.deepEqual(
      agents.map(({ HostConfig }) => HostConfig.PidsLimit),
      agents.map(() => 1024),
    );
    for (const id of await project.containers()) {
      assert.doesNotMatch(await docker('exec', id, 'cat', '/proc/1/status'), /^Uid:\s+0\b/m);
    }
  });

  it('publishes the coordinator and Prometheus alone, on this machine alone', async () => {
    const published = (await inspected()).flatMap(({ NetworkSettings: { Ports } }) =>
      Object.entries(Ports).flatMap(([port, at]) => (at ?? []).map(({ HostIp }) => `${HostIp} ${port}`)),
    );
    assert.deepEqual(published.sort(), ['127.0.0.1 7420/tcp', '127.0.0.1 9090/tcp']);
  });

  it('shows no secret to who may inspect containers, or read their logs', async () => {
    const text = JSON.stringify(await inspected());
    const logs = await project.compose('logs', '--no-color');
    for (const name of ['join-token', 'metrics-token', 'nats-password']) {
      assert.ok(!text.includes(project.secret(name)), `inspect shows ${name}`);
      assert.ok(!logs.includes(project.secret(name)), `logs show ${name}`);
    }
  });

  it('is updated as DEPLOYING says, one service after the other, and works on', async () => {
    const before = await project.containers();
    const anew = ['up', '--detach', '--no-build', '--no-deps', '--force-recreate'];
    await project.compose(...anew, '--scale', `node-agent=${AGENTS}`, 'node-agent');
    await project.compose(...anew, 'coordinator');
    const stayed = (await project.containers()).filter((id) => before.includes(id));
    assert.equal(stayed.length, SERVICES.length - 2);
    const back = async (): Promise<boolean> => {
      const { nodes } = await regatta('status').catch(() => ({ nodes: [] }));
      return (nodes as { state: string }[]).filter(({ state }) => state === 'alive').length === AGENTS;
    };
    await eventually(back, 60_000, `${AGENTS} nodes to be back`);
    const { state, succeeded } = await regatta('run', 'number-cruncher', '--set', 'count=30');
    assert.deepEqual([state, succeeded], ['succeeded', 30]);
  });
});

describe('NATS of deploy/nats', { skip: whyNoDocker }, () => {
  before(buildImages, { timeout: BUILD_MS_MAX });

  /** What it says in place of starting. */
  const refusal = async (...options: string[]): Promise<string> => {
    const mounts = ['--volume', `${root}/deploy/nats:/etc/regatta-nats:ro`, ...options];
    // One that starts would run for ever.
    const bounded = ['--entrypoint', 'timeout', images.NATS_IMAGE ?? 'nats:2-alpine', '10', '/bin/sh'];
    const command = ['/etc/regatta-nats/start.sh', '/etc/regatta-nats/nats.conf'];
    return docker('run', '--rm', '--user', '10001', ...mounts, ...bounded, ...command).then(
      () => 'it ended well',
      (thrown: { readonly stderr: string }) => thrown.stderr.trim(),
    );
  };

  it('does not start without both secrets, or with one that can be guessed', async () => {
    assert.match(
      await refusal(),
      /^nats: there is no password in \/run\/secrets\/nats-password; run deploy\/make-secrets$/,
    );
    const folder = mkdtempSync(join(tmpdir(), 'regatta-short-'));
    try {
      writeFileSync(join(folder, 'short'), 'hunter2\n', { mode: 0o444 });
      const said = await refusal('--volume', `${folder}/short:/run/secrets/nats-password:ro`);
      assert.match(said, /^nats: the password in .* has 7 characters and must have at least 16; run/);
      assert.doesNotMatch(said, /hunter2/);
      writeFileSync(join(folder, 'long'), 'a-password-of-enough-length\n', { mode: 0o444 });
      const withPassword = ['--volume', `${folder}/long:/run/secrets/nats-password:ro`];
      assert.match(await refusal(...withPassword), /^nats: there is no token in \/run\/secrets\/join-token; run/);
      // A hash, as a server would take it.
      writeFileSync(join(folder, 'hash'), `$2a$11$${'hunter2'.repeat(8)}\n`, { mode: 0o444 });
      const odd = await refusal(...withPassword, '--volume', `${folder}/hash:/run/secrets/join-token:ro`);
      assert.match(odd, /^nats: the token in .* may have letters, digits and - _ \+ \/ = \. ~ : only; run/);
      assert.doesNotMatch(odd, /hunter2/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
