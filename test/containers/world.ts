/**
 * A cluster in containers: one NATS, one coordinator, and node-agents, each on a network of its own that reaches those
 * two and no other agent, to be killed, cut off, healed and restarted while this process is their client.
 *
 * - W1: whatever a blow leaves, `mend` waits until all nodes are back: tests may share a world, one after another.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@regatta/broker/testing';
import { getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import type { NodeView } from '../../services/coordinator/src/cli/views.ts';
import { eventually } from '../integration/cluster.ts';
import { Direct } from '../integration/direct.ts';
import { startContainer } from './container.ts';
import { buildImages, docker, images, labels, logOf, root, sweep, WORLD } from './engine.ts';

const COORDINATOR = 'regatta/coordinator:dev';
const AGENT = 'regatta/node-agent:dev';
/** A lost node is back: its own waits between two tries, and a machine that has much to do. */
const BACK_MS_MAX = 45_000;
/** Of each log, where a world does not come about. */
const LINES_SHOWN = 8;
/** As in compose.yaml. */
const STOP_S: Readonly<Record<string, number>> = { nats: 20, coordinator: 10, agent: 30 };

export interface AgentForm {
  readonly id: string;
  /** Whose network it is on, if it has none of its own. */
  readonly beside?: string;
  /** Cores. */
  readonly cpu: number;
}

export class World {
  readonly direct: Direct;
  /** HOST:PORT of the coordinator, from outside. */
  readonly address: string;
  /** By name: nats, coordinator, and the ids of agents. */
  readonly #containers = new Map<string, StartedTestContainer>();
  readonly #networks: ReadonlyMap<string, string>;
  readonly #folder: string;

  private constructor(folder: string, port: number, token: string, networks: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#networks = networks;
    this.address = `127.0.0.1:${port}`;
    this.direct = new Direct(this.address, token);
  }

  /** With images of the sources as they are. @throws where something does not start; nothing is left then */
  static async start(agents: readonly AgentForm[]): Promise<World> {
    await sweep('of the dead');
    await buildImages();
    const folder = mkdtempSync(join(tmpdir(), 'regatta-world-'));
    const secret = secretIn(folder);
    const [token] = ['join-token', 'metrics-token', 'nats-password'].map(secret);
    const names = ['backbone', ...agents.map(({ id }) => id)];
    const networks = new Map<string, string>();
    const world = new World(folder, await freePort(), token!, networks);
    try {
      for (const name of names) networks.set(name, await makeNetwork(name));
      await world.#startNats();
      await world.#startCoordinator();
      await Promise.all(agents.map((form) => world.startAgent(form)));
      await world.mend();
      return world;
    } catch (thrown) {
      const words = await world.#lastWords();
      await world.stop();
      throw new Error(`no cluster in containers: ${String(thrown)}\n${words}`);
    }
  }

  async stop(): Promise<void> {
    this.direct.close();
    await sweep('mine');
    rmSync(this.#folder, { recursive: true });
  }

  /** @param environment instead of what it would be told */
  async startAgent(
    { id, beside = id, cpu }: AgentForm,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const started = await startContainer({
      image: AGENT,
      network: this.#networkOf(beside),
      alias: id,
      cpu,
      environment: {
        REGATTA_TOKEN_FILE: '/run/secrets/join-token',
        REGATTA_NATS_USER: 'node',
        REGATTA_NATS_PASSWORD_FILE: '/run/secrets/join-token',
        REGATTA_NODE_ID: id,
        REGATTA_COORDINATOR: 'coordinator:7420',
        REGATTA_NATS: 'nats://nats:4222',
        ...environment,
      },
      mounts: this.#secrets(),
      until: Wait.forLogMessage(/"msg"/),
    });
    this.#containers.set(id, started);
  }

  /** Waits until all nodes are there and fit for work, and no other. */
  async mend(): Promise<void> {
    const ids = [...this.#containers.keys()].filter((name) => name !== 'nats' && name !== 'coordinator').sort();
    const alive = async (): Promise<boolean> => {
      const nodes = await this.nodes().catch(() => []);
      return ids.every((id) => nodes.some((node) => node.id === id && node.state === 'alive'));
    };
    await eventually(alive, BACK_MS_MAX, `${ids.join(', ')} to be alive`);
  }

  async nodes(): Promise<NodeView[]> {
    return this.direct.client.nodes();
  }

  async stateOf(id: string): Promise<string> {
    return (await this.nodes()).find((node) => node.id === id)?.state ?? 'unknown';
  }

  /** What the coordinator's metrics say. @param series name and labels, as a pattern @returns the sum of those that match */
  async metric(series: RegExp): Promise<number> {
    const ask =
      "fetch('http://127.0.0.1:7421/metrics').then((r) => r.text()).then((text) => process.stdout.write(text))";
    const { output, exitCode } = await this.container('coordinator').exec(['node', '-e', ask]);
    assert.equal(exitCode, 0, output);
    const lines = output.split('\n').filter((line) => !line.startsWith('#') && series.test(line));
    assert.ok(lines.length > 0, `there is no metric ${series}`);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Like power: at once, and no word. */
  async kill(name: string): Promise<void> {
    await docker('kill', '--signal', 'KILL', this.container(name).getId());
  }

  async startAgain(name: string): Promise<void> {
    await docker('start', this.container(name).getId());
  }

  /** By SIGTERM, and by force once the time of compose.yaml is up. @returns ms that ending took, and its exit code */
  async end(name: string): Promise<{ ms: number; code: number }> {
    const id = this.container(name).getId();
    const startedAt = performance.now();
    await docker('stop', '--time', String(STOP_S[name] ?? STOP_S.agent), id);
    const ms = performance.now() - startedAt;
    return { ms, code: Number(await docker('inspect', '--format', '{{.State.ExitCode}}', id)) };
  }

  /** The container goes, and its node with it. */
  async discard(name: string): Promise<void> {
    await docker('rm', '--force', '--volumes', this.container(name).getId());
    this.#containers.delete(name);
  }

  /** Takes an agent off its network; proves that it reaches the coordinator no more. */
  async cutOff(id: string): Promise<void> {
    const { network } = await getContainerRuntimeClient();
    const container = this.container(id);
    const address = `{{(index .NetworkSettings.Networks "${this.#networkOf(id)}").IPAddress}}`;
    const peer = await docker('inspect', '--format', address, this.container('coordinator').getId());
    await network.getById(this.#networkOf(id)).disconnect({ Container: container.getId(), Force: true });
    const look = `require('net').connect(7420,'${peer}').on('connect',()=>process.exit(0)).on('error',()=>process.exit(7))`;
    const { exitCode } = await container.exec(['timeout', '5', 'node', '-e', look]);
    assert.notEqual(exitCode, 0, `${id} still reaches ${peer}`);
  }

  async heal(id: string): Promise<void> {
    const { network } = await getContainerRuntimeClient();
    const Container = this.container(id).getId();
    await network.getById(this.#networkOf(id)).connect({ Container, EndpointConfig: { Aliases: [id] } });
  }

  /** All that it has said so far. */
  log(name: string): Promise<string> {
    return logOf(this.container(name).getId());
  }

  async #lastWords(): Promise<string> {
    const names = [...this.#containers.keys()];
    const logs = await Promise.all(names.map((name) => this.log(name).catch(String)));
    return names.map((name, i) => `--- ${name}\n${logs[i]!.split('\n').slice(-LINES_SHOWN).join('\n')}`).join('\n');
  }

  container(name: string): StartedTestContainer {
    const found = this.#containers.get(name);
    assert.ok(found !== undefined, `there is no container ${name}`);
    return found;
  }

  async #startNats(): Promise<void> {
    const started = await startContainer({
      image: images.NATS_IMAGE ?? 'nats:2-alpine',
      network: this.#networkOf('backbone'),
      alias: 'nats',
      entrypoint: ['/bin/sh', '/etc/regatta-nats/start.sh'],
      command: ['/etc/regatta-nats/nats.conf'],
      mounts: { '/etc/regatta-nats': join(root, 'deploy/nats'), ...this.#secrets() },
      volumes: { '/var/tmp': await makeVolume('nats') },
      scratch: [],
      until: Wait.forLogMessage('Server is ready'),
    });
    this.#containers.set('nats', started);
    await this.#reachAll(started, 'nats');
  }

  async #startCoordinator(): Promise<void> {
    const started = await startContainer({
      image: COORDINATOR,
      network: this.#networkOf('backbone'),
      alias: 'coordinator',
      ports: { 7420: Number(this.address.split(':')[1]) },
      environment: {
        REGATTA_TOKEN_FILE: '/run/secrets/join-token',
        REGATTA_NATS_USER: 'regatta',
        REGATTA_NATS_PASSWORD_FILE: '/run/secrets/nats-password',
        REGATTA_NATS: 'nats://nats:4222',
      },
      mounts: this.#secrets(),
      until: Wait.forLogMessage('this coordinator leads'),
    });
    this.#containers.set('coordinator', started);
    await this.#reachAll(started, 'coordinator');
  }

  /** Joins the networks of all agents. */
  async #reachAll(started: StartedTestContainer, alias: string): Promise<void> {
    const { network } = await getContainerRuntimeClient();
    for (const [name, id] of this.#networks) {
      if (name === 'backbone') continue;
      await network.getById(id).connect({ Container: started.getId(), EndpointConfig: { Aliases: [alias] } });
    }
  }

  #networkOf(name: string): string {
    const id = this.#networks.get(name);
    assert.ok(id !== undefined, `there is no network ${name}`);
    return id;
  }

  readonly #secrets = (): Record<string, string> =>
    Object.fromEntries(
      ['join-token', 'nats-password'].map((name) => [`/run/secrets/${name}`, join(this.#folder, name)]),
    );
}

/** As deploy/make-secrets makes them. */
const secretIn =
  (folder: string) =>
  (name: string): string => {
    const value = randomBytes(24).toString('hex');
    writeFileSync(join(folder, name), value);
    chmodSync(join(folder, name), 0o444);
    return value;
  };

async function makeVolume(name: string): Promise<string> {
  return docker('volume', 'create', '--label', `${WORLD}=${labels[WORLD]}`, `regatta-test-${process.pid}-${name}`);
}

/** @returns its name, by which containers are put on it */
async function makeNetwork(name: string): Promise<string> {
  const client = await getContainerRuntimeClient();
  const Name = `regatta-test-${process.pid}-${name}`;
  await client.network.create({ Name, Labels: { ...labels }, CheckDuplicate: true });
  return Name;
}
