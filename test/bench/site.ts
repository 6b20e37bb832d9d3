/**
 * A cluster whose parts a bench can tell apart and kill: coordinators, node-agents and, where one is given, the
 * nats-server that they use. Each its own process, as on hosts of their own; they end with this process at the latest.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsServer } from '@regatta/broker/testing';
import { type Started, startAgent, startCoordinator } from '../../services/coordinator/src/embedded/spawn.ts';
import { childrenOf } from '../integration/cluster.ts';
import { within } from './waiting.ts';

const END_MS_MAX = 10_000;
const AGENTS = 2;

export class Site {
  readonly coordinators: Started[] = [];
  readonly #agents: Started[] = [];
  readonly #nats: NatsServer | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), 'regatta-bench-'));
  readonly #removeDirectory = (): void => rmSync(this.#directory, { recursive: true, force: true });

  private constructor(nats: NatsServer | undefined) {
    this.#nats = nats;
    process.once('exit', this.#removeDirectory);
  }

  /** @returns once two nodes are welcome. @param nats undefined to go without: no journal, and no queue */
  static async start(nats: NatsServer | undefined, coordinators = 1): Promise<Site> {
    const site = new Site(nats);
    try {
      for (let i = 0; i < coordinators; i++) await site.startCoordinator();
      const addresses = site.coordinators.map(({ address }) => address).join(',');
      for (let i = 1; i <= AGENTS; i++) {
        site.#agents.push(await startAgent(`bench-${i}`, addresses, site.#directory, { nats: nats?.url }));
      }
      return site;
    } catch (thrown) {
      await site.end();
      throw thrown;
    }
  }

  async startCoordinator(listen = '127.0.0.1:0'): Promise<Started> {
    // Each logs to a file of the same name.
    const logs = mkdtempSync(join(this.#directory, 'coordinator-'));
    const started = await startCoordinator(listen, logs, { nats: this.#nats?.url });
    this.coordinators.push(started);
    return started;
  }

  get address(): string {
    return this.coordinators[0]!.address;
  }

  /** All that is at work now: host processes too, which come and go. */
  processes(): number[] {
    const agents = this.#agents.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
    const nats = this.#nats === undefined ? [] : [this.#nats.pid];
    return [...this.coordinators.map(({ pid }) => pid), ...agents, ...nats];
  }

  /** With SIGKILL. */
  kill(coordinator: Started): void {
    this.coordinators.splice(this.coordinators.indexOf(coordinator), 1);
    coordinator.child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    await Promise.all([...this.#agents, ...this.coordinators].map(endOne));
    process.off('exit', this.#removeDirectory);
    this.#removeDirectory();
  }
}

async function endOne({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill();
  const late = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX / 2);
  await within(END_MS_MAX, `process ${child.pid} to end`, exit);
  clearTimeout(late);
}
