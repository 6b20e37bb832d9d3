/** deploy/compose.ha.yaml with a node of another host, by compose.agent.yaml: what is left of it when two of its five die. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '@regatta/broker/testing';
import { OUTCOME_CONSUMER, OUTCOME_STREAM, WORK_STREAM, workSubject } from '@regatta/proto/queue-names';
import { connect as connectToNats } from 'nats';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { eventually } from '../integration/cluster.ts';
import { Direct, serialValues } from '../integration/direct.ts';
import { BUILD_MS_MAX, buildImages, docker, whyNoDocker } from './engine.ts';
import { Project, takeDownTheDead } from './project.ts';

/** Some seconds of two cores: it has to go on while others are killed. */
const CPU = { workload: 'number-cruncher', inputs: { count: 200, n: 12_000_000 } } as const;
const IO = { workload: 'io-wait', inputs: { count: 300, ms: 100 } } as const;
const COORDINATORS = ['coordinator', 'coordinator-2'] as const;
const NATS = ['nats', 'nats-2', 'nats-3'] as const;
const AGENTS = 2;
const ELSEWHERE = 'elsewhere';
/** What compose.agent.yaml needs of the coordinator's host, and no more. */
const SECRET = 'join-token';

let cluster: Project;
let otherHost: Project;
let direct: Direct;
/** HOST:PORT each, of a host that containers of others reach, too. */
let coordinators: string[];
let natsServers: string[];
/** The same, of Prometheus. */
let prometheus: string;
const folder = mkdtempSync(join(tmpdir(), 'regatta-other-host-'));

/** This host, as others see it: the engine's own bridge has an address of it, which nobody reaches from outside. */
const hostAddress = (): Promise<string> =>
  docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'bridge');

async function startCluster(host: string): Promise<void> {
  const ports: string[] = [];
  while (ports.length < COORDINATORS.length + NATS.length + 1) ports.push(String(await freePort()));
  const [one, two, ofPrometheus, ...ofNats] = ports;
  prometheus = `127.0.0.1:${ofPrometheus}`;
  coordinators = [`${host}:${one}`, `${host}:${two}`];
  natsServers = ofNats.map((port) => `${host}:${port}`);
  cluster = await Project.prepare({
    files: ['compose.yaml', 'compose.ha.yaml', 'compose.ha.hosts.yaml'],
    environment: {
      REGATTA_PUBLISH: host,
      REGATTA_HOST_ADDRESS: host,
      PROMETHEUS_PORT: ofPrometheus!,
      REGATTA_PORT: one!,
      REGATTA_PORT_2: two!,
      REGATTA_NATS_PORT: ofNats[0]!,
      REGATTA_NATS_PORT_2: ofNats[1]!,
      REGATTA_NATS_PORT_3: ofNats[2]!,
    },
  });
  const up = ['up', '--detach', '--no-build', '--scale', `node-agent=${AGENTS}`];
  await cluster.compose('--profile', 'prometheus', ...up);
}

async function startOtherHost(host: string): Promise<void> {
  const secrets = join(folder, 'secrets');
  mkdirSync(secrets);
  cpSync(cluster.secretFile(SECRET), join(secrets, SECRET));
  otherHost = await Project.prepare({
    files: ['compose.agent.yaml'],
    suffix: '-host',
    secrets,
    environment: {
      REGATTA_COORDINATOR: coordinators.join(','),
      REGATTA_HOST_ADDRESS: host,
      REGATTA_NODE_ID: ELSEWHERE,
      REGATTA_AGENT_METRICS_PORT: String(await freePort()),
    },
  });
  await otherHost.compose('up', '--detach', '--no-build');
}

/** Like power: at once, and not started again. */
async function kill(service: string): Promise<void> {
  const [id] = await cluster.containers(service);
  await docker('kill', '--signal', 'KILL', id!);
}

/** What the CPU run gives, by the formula: 0² + 1² + ... + (n-1)² = (n-1) n (2n-1) / 6. */
function sums(): Map<number, bigint> {
  const { count, n } = CPU.inputs;
  const terms = Array.from({ length: count }, (_, task) => BigInt(n + task));
  return new Map(terms.map((n, task) => [task, ((n - 1n) * n * (2n * n - 1n)) / 6n]));
}

/** As Prometheus sees it. */
interface Target {
  readonly labels: { readonly node?: string };
  readonly health: string;
  readonly lastError: string;
}

interface Followed {
  readonly runId: string;
  readonly kind: typeof CPU | typeof IO;
  /** From the start on, as the CLI does: who follows a run looks longer for the next coordinator than who just asks. */
  readonly ended: Promise<RunView>;
}

/** A run of each kind. */
async function submitBoth(): Promise<readonly Followed[]> {
  const submitted = [
    [CPU, direct.submit(CPU.workload, CPU.inputs, { model: 'processes' })],
    [IO, direct.submit(IO.workload, IO.inputs, { model: 'async', concurrency: 4 })],
  ] as const;
  return Promise.all(
    submitted.map(async ([kind, submission]) => {
      const runId = await submission;
      const ended = direct.ended(runId);
      // Told where it is waited for.
      ended.catch(() => {});
      return { runId, kind, ended };
    }),
  );
}

/** Waits for their ends. Asserts that each task has its result, right and once, and that the other host did some of them. */
async function endWell(runs: readonly Followed[]): Promise<void> {
  for (const { runId, kind, ended } of runs) {
    const { workload, inputs } = kind;
    const { state, succeeded, failures, accounting } = await ended;
    assert.deepEqual([state, succeeded], ['succeeded', inputs.count], `${workload}: ${JSON.stringify(failures)}`);
    assert.deepEqual(await direct.values(runId), kind === CPU ? sums() : await serialValues(workload, inputs));
    assert.ok(
      accounting.nodes.some(({ node, tasks }) => node === ELSEWHERE && tasks > 0),
      workload,
    );
  }
}

/** The first that a NATS server says to who connects. */
function greeting(address: string): Promise<Record<string, unknown>> {
  const [host, port] = address.split(':');
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  const socket = connect({ host: host!, port: Number(port), timeout: 5_000 })
    .once('data', (line) => resolve(JSON.parse(String(line).replace(/^INFO /, ''))))
    .once('timeout', () => reject(new Error(`${address} says nothing`)))
    .once('error', reject);
  return promise.finally(() => socket.destroy());
}

describe('the cluster of deploy/compose.ha.yaml, and a node of another host', { skip: whyNoDocker }, () => {
  before(
    async () => {
      await takeDownTheDead();
      await buildImages();
      const host = await hostAddress();
      await startCluster(host);
      await startOtherHost(host);
      direct = new Direct(coordinators, cluster.secret('join-token'));
    },
    { timeout: 2 * BUILD_MS_MAX },
  );
  after(async () => {
    direct?.close();
    await Promise.all([cluster?.down(), otherHost?.down()]);
    rmSync(folder, { recursive: true });
  });

  it('takes that node in, which has an address and a token', async () => {
    const joined = async (): Promise<boolean> => {
      const nodes = await direct.client.nodes().catch(() => []);
      return nodes.filter(({ state }) => state === 'alive').length === AGENTS + 1;
    };
    await eventually(joined, 60_000, `${AGENTS + 1} nodes to join`).catch(async (thrown) => {
      throw new Error(`${thrown}\n${await cluster.lastWords()}\n${await otherHost.lastWords()}`);
    });
    const { state, queueComplaint } = (await direct.client.nodes()).find(({ id }) => id === ELSEWHERE)!;
    assert.deepEqual([state, queueComplaint], ['alive', '']);
  });

  it('has Prometheus scrape that node, which makes of its token the one that it asks for', async () => {
    const health = async (): Promise<string> => {
      const response = await fetch(`http://${prometheus}/api/v1/targets?state=active`);
      const { data } = (await response.json()) as { readonly data: { readonly activeTargets: readonly Target[] } };
      const target = data.activeTargets.find(({ labels }) => labels.node === ELSEWHERE);
      return target === undefined ? 'unknown' : `${target.health} ${target.lastError}`;
    };
    await eventually(async () => (await health()) === 'up ', 60_000, 'the node to be scraped').catch(async (thrown) => {
      throw new Error(`${thrown}: it is ${await health().catch(String)}`);
    });
  });

  it('lets who has the token do at NATS what nodes do, and nothing else', async () => {
    const nc = await connectToNats({ servers: natsServers, user: 'node', pass: cluster.secret(SECRET) });
    try {
      const refused = { code: 'PERMISSIONS_VIOLATION' };
      for (const subject of [
        '$JS.API.STREAM.LIST',
        `$JS.API.STREAM.PURGE.${WORK_STREAM}`,
        `$JS.API.CONSUMER.MSG.NEXT.${OUTCOME_STREAM}.${OUTCOME_CONSUMER}`,
        workSubject('run'),
      ]) {
        await assert.rejects(nc.request(subject), refused, subject);
      }
      assert.equal(nc.isClosed(), false);
    } finally {
      await nc.close();
    }
  });

  it('tells who asks NATS of no address within it', async () => {
    for (const address of natsServers) {
      const { cluster: name, connect_urls: others } = await greeting(address);
      assert.deepEqual([name, others], ['regatta', undefined]);
    }
  });

  it('loses nothing with the coordinator that leads and the NATS server that all name first', async () => {
    const runs = await submitBoth();
    const state = () => Promise.all(runs.map(({ runId }) => direct.client.run(runId)));
    const begun = async (): Promise<boolean> => (await state()).every(({ succeeded }) => succeeded >= 10);
    await eventually(begun, 30_000, 'both runs to have begun');
    assert.ok((await state()).every((run) => run.state === 'running'));
    const leading = coordinators.indexOf(direct.client.address);
    await Promise.all([kill(COORDINATORS[leading]!), kill(NATS[0])]);
    await endWell(runs);
    assert.equal(direct.client.address, coordinators[1 - leading]);
  });

  it('takes new work with what is left', async () => {
    await endWell(await submitBoth());
  });

  it('goes with all that it had', async () => {
    const gone = async (project: Project): Promise<void> => {
      assert.notDeepEqual(await project.remains(), []);
      await project.down();
      assert.deepEqual(await project.remains(), []);
    };
    await Promise.all([gone(cluster), gone(otherHost)]);
  });
});
