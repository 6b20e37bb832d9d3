/**
 * The cluster under test: a coordinator and two node-agents, of which each can be struck down and started again.
 *
 * - E1: only processes of this cluster are signalled: agents that were started here, children of theirs, and whatever
 *   carries the mark of its sandbox.
 * - E2: a process that is stopped is let go by another one, so that it goes on even where this one is killed meanwhile.
 * - E3: an end that nobody asked for is a reason to fail.
 * - E4: whatever ends this process, short of a SIGKILL, nothing of the cluster is left; after that its own ties end it.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { within } from '../bench/waiting.ts';
import { type Agent, Cluster, childrenOf, eventually, isRunning } from '../integration/cluster.ts';
import { withInspector } from './inside.ts';
import { standStill } from './stand-still.ts';
import type { Tally } from './tally.ts';

export const CORES = 2;
/**
 * Kept ready: more than cores, for the pool shares hosts between runs when it has four times as many. In a shared one a
 * run that kills its hosts may be the death of another's task: docs/SCHEDULER.md, Limits.
 */
export const HOSTS_READY = 6;
/** Of each thread: soon used up, and enough for what tasks of the mix leave behind between two looks at it. */
const HOST_MEMORY = '320MiB';
const NODES = ['node-1', 'node-2'] as const;
export type NodeName = (typeof NODES)[number];
const AGENT_ARGS = ['--prestart', String(HOSTS_READY), '--host-memory', HOST_MEMORY];
const DIES_MS_MAX = 5_000;
const COMES_BACK_MS_MAX = 30_000;

export class Site {
  readonly cluster: Cluster;
  /** Of the soak itself: it looks, drains and resumes. */
  readonly client: Client;
  readonly #agents = new Map<NodeName, Agent>();
  readonly #tally: Tally;
  readonly #stoppers = new Set<ChildProcess>();
  readonly #onExit = (): void => this.#sweep();
  #ending = false;

  private constructor(cluster: Cluster, tally: Tally) {
    this.cluster = cluster;
    this.client = new Client(cluster.address);
    this.#tally = tally;
    process.once('exit', this.#onExit);
    cluster.coordinator.once('exit', (code, signal) => this.#unasked('the coordinator', code, signal));
  }

  static async start(tally: Tally): Promise<Site> {
    withInspector();
    const site = new Site(await Cluster.start({ agents: 0, serveArgs: ['--log-level', 'warn'] }), tally);
    try {
      await Promise.all(NODES.map((name) => site.#startAgent(name)));
      return site;
    } catch (thrown) {
      await site.cluster.sandbox.discard();
      throw thrown;
    }
  }

  get coordinator(): number {
    return this.cluster.coordinator.pid!;
  }

  /** Those that are to live at this moment, by name. */
  agents(): [NodeName, number][] {
    return [...this.#agents].map(([name, { pid }]) => [name, pid]);
  }

  /** Of one node. */
  hosts(name: NodeName): number[] {
    const agent = this.#agents.get(name);
    return agent === undefined ? [] : childrenOf(agent.pid);
  }

  /** With SIGKILL; its hosts must die with it. Whether they do or not, it is started again. */
  async replaceAgent(name: NodeName): Promise<void> {
    const { pid, child } = this.#agentOf(name);
    const hosts = childrenOf(pid);
    this.#agents.delete(name);
    const ended = once(child, 'exit');
    process.kill(pid, 'SIGKILL');
    await within(DIES_MS_MAX, `${name} to die`, ended);
    try {
      await eventually(() => !hosts.some(isRunning), DIES_MS_MAX, `the hosts of ${name} to die with it`);
    } finally {
      await this.#startAgent(name);
      await this.comesBack(name);
    }
  }

  /** The agent stands still for so long, and its hosts do not. */
  async stopAgent(name: NodeName, ms: number): Promise<void> {
    const { pid } = this.#agentOf(name);
    const stopper = standStill(pid, ms);
    this.#stoppers.add(stopper);
    await within(ms + DIES_MS_MAX, `${name} to go on`, once(stopper, 'exit'));
    this.#stoppers.delete(stopper);
    await this.comesBack(name);
  }

  async comesBack(name: NodeName): Promise<void> {
    const isAlive = async (): Promise<boolean> =>
      (await this.client.nodes()).some(({ id, state }) => id === name && state === 'alive');
    await eventually(isAlive, COMES_BACK_MS_MAX, `${name} to be alive again`);
  }

  /** By SIGTERM. What is left then is a reason to fail, and is killed. */
  async end(): Promise<void> {
    this.#ending = true;
    this.client.close();
    try {
      await this.cluster.stop();
    } catch (thrown) {
      this.#tally.wrong(`after the end: ${(thrown as Error).message}`);
    }
    process.off('exit', this.#onExit);
  }

  #agentOf(name: NodeName): Agent {
    const agent = this.#agents.get(name);
    if (agent === undefined) throw new Error(`${name} is not there: it could not be started again`);
    return agent;
  }

  async #startAgent(name: NodeName): Promise<void> {
    const agent = await this.cluster.addAgent(name, { cores: CORES, args: AGENT_ARGS });
    this.#agents.set(name, agent);
    agent.child.once('exit', (code, signal) => {
      if (this.#agents.get(name) === agent) this.#unasked(name, code, signal);
    });
  }

  #unasked(who: string, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ending) return;
    const said = who === 'the coordinator' ? `: ${this.cluster.log().slice(-1_000)}` : '';
    this.#tally.wrong(`${who} ended by itself, with ${signal ?? code}${said}`);
  }

  /** E4. */
  #sweep(): void {
    for (const stopper of this.#stoppers) stopper.kill('SIGKILL');
    for (const pid of this.cluster.sandbox.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    }
    rmSync(this.cluster.sandbox.directory, { recursive: true, force: true });
  }
}
