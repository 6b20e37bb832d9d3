/**
 * The cluster under chaos: a nats-server, two coordinators and three node-agents, each a real process that is struck
 * and comes back; and what has befallen them.
 *
 * - W1: what comes back is where it was: the same port, the same store, the same name.
 * - W2: whatever ends this process, short of a SIGKILL, nothing of the cluster is left; after that its own ties end it.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { eventually, Sandbox } from '../integration/cluster.ts';
import { BareCalls } from './bare-calls.ts';
import type { Blow } from './blows.ts';
import { Member, Program } from './member.ts';

const COORDINATOR_MAIN = fileURLToPath(new URL('../../services/coordinator/src/main.ts', import.meta.url));
const AGENT_MAIN = fileURLToPath(new URL('../../services/node-agent/src/main.ts', import.meta.url));
const AGENTS = ['agent-1', 'agent-2', 'agent-3'] as const;
const COORDINATORS = ['coordinator-1', 'coordinator-2'] as const;
const CORES = 2;
const READY_MS_MAX = 30_000;
const END_MS_MAX = 8_000;
/** As coordinators log it. */
const LEADS = '"this coordinator leads, ';
const LEADS_NO_MORE = '"this coordinator leads no more';

/** Something that has befallen a member. */
export interface Fall {
  readonly name: string;
  readonly way: Blow['way'];
  /** Of performance.now(). */
  readonly from: number;
  /** Infinite while it lasts. */
  to: number;
}

export class World {
  /** Of the coordinators. */
  readonly addresses: readonly string[];
  readonly falls: Fall[] = [];
  /** What went wrong with the processes themselves. */
  readonly wrong: string[];
  readonly #sandbox: Sandbox;
  readonly #logs: string;
  readonly #programs: readonly Program[];
  readonly #nats: NatsServer;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #coordinators: readonly BareCalls[];
  readonly #under = new Set<Promise<void>>();
  readonly #onExit = (): void => this.#sweep();

  private constructor(
    sandbox: Sandbox,
    logs: string,
    wrong: string[],
    nats: NatsServer,
    programs: ReadonlyMap<string, Program>,
    addresses: readonly string[],
  ) {
    this.#sandbox = sandbox;
    this.#logs = logs;
    this.wrong = wrong;
    this.#nats = nats;
    this.#programs = [...programs.values()];
    this.addresses = addresses;
    this.#coordinators = addresses.map((address) => new BareCalls(address));
    const server = {
      get pid() {
        return nats.pid;
      },
      kill: () => nats.kill(),
      start: () => nats.restart(),
    };
    const members = [...programs].map(([name, program]) => new Member(name, program));
    this.#members = new Map([...members, new Member('nats', server)].map((member) => [member.name, member]));
    process.once('exit', this.#onExit);
  }

  static async start(): Promise<World> {
    const sandbox = new Sandbox();
    const logs = join(sandbox.directory, 'logs');
    mkdirSync(logs);
    const wrong: string[] = [];
    const programs = new Map<string, Program>();
    const add = (name: string, main: string, args: readonly string[]): Program => {
      const onEnd = (how: string): void => void wrong.push(`${name} ${how}`);
      const log = join(logs, `${name}.log`);
      const program = new Program({ main, args, env: sandbox.environment(), log, onEnd });
      programs.set(name, program);
      return program;
    };
    const nats = await startNats({ config: `log_file: ${JSON.stringify(join(logs, 'nats-server.log'))}` });
    try {
      // Otherwise a fail-over would begin from a snapshot only after hours.
      const often = ['--snapshot-bytes', '80000', '--log-level', 'info'];
      const serve = (listen: string) => ['serve', '--listen', listen, '--nats', nats.url, ...often];
      const addresses: string[] = [];
      for (const name of COORDINATORS) {
        const program = add(name, COORDINATOR_MAIN, serve('127.0.0.1:0'));
        const { address } = await program.begin();
        addresses.push(address!);
        program.args = serve(address!);
      }
      const agent = ['--coordinator', addresses.join(), '--cores', String(CORES), '--prestart', String(CORES)];
      await Promise.all(AGENTS.map((id) => add(id, AGENT_MAIN, ['--id', id, ...agent]).begin()));
      return new World(sandbox, logs, wrong, nats, programs, addresses);
    } catch (thrown) {
      await sandbox.discard();
      await nats[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Does not wait for the end of it. @returns who is struck; nobody where whoever it is meant for is down already */
  async strike({ target, way, forMs }: Blow): Promise<readonly string[]> {
    const struck = (await this.#meant(target)).filter((member) => !member.struck);
    for (const member of struck) {
      const fall: Fall = { name: member.name, way, from: performance.now(), to: Number.POSITIVE_INFINITY };
      this.falls.push(fall);
      const over = member
        .strike(way, forMs)
        .catch(({ message }: Error) => void this.wrong.push(`${way} ${member.name}: ${message}`))
        .finally(() => {
          fall.to = performance.now();
          this.#under.delete(over);
        });
      this.#under.add(over);
    }
    return struck.map(({ name }) => name);
  }

  /** Resolves once whatever fell has got up again. */
  async calm(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under);
  }

  /** @returns the coordinator that leads, once all nodes serve it. @throws when the time is up */
  async whole(): Promise<BareCalls> {
    let leader: BareCalls | undefined;
    const isWhole = async (): Promise<boolean> => {
      leader = await this.#leader();
      return (await leader?.nodesAlive()) === AGENTS.length;
    };
    await eventually(isWhole, READY_MS_MAX, 'all nodes to serve the coordinator that leads');
    return leader!;
  }

  /** How often a coordinator began to lead, and how often one that led found that it does no more. */
  terms(): { begun: number; lost: number } {
    const said = COORDINATORS.map((name) => readFileSync(join(this.#logs, `${name}.log`), 'utf8')).join('');
    return { begun: said.split(LEADS).length - 1, lost: said.split(LEADS_NO_MORE).length - 1 };
  }

  /** @param keepLogs whether to keep what they have logged @returns where that is */
  async end(keepLogs: () => boolean): Promise<string | undefined> {
    for (const coordinator of this.#coordinators) coordinator.close();
    for (const program of this.#programs) program.end();
    await this.#sandbox.nothingLeft(END_MS_MAX).catch(({ message }: Error) => void this.wrong.push(message));
    await this.#nats[Symbol.asyncDispose]();
    const kept = keepLogs() ? mkdtempSync(join(tmpdir(), 'regatta-chaos-logs-')) : undefined;
    if (kept !== undefined) cpSync(this.#logs, kept, { recursive: true });
    await this.#sandbox.discard();
    process.off('exit', this.#onExit);
    return kept;
  }

  async #meant(target: Blow['target']): Promise<Member[]> {
    if (target !== 'leader' && target !== 'stand-by') {
      const names = target === 'coordinators' ? COORDINATORS : [target];
      return names.map((name) => this.#members.get(name)!);
    }
    const leader = await this.#leader();
    const at = leader === undefined ? 0 : this.#coordinators.indexOf(leader);
    return [this.#members.get(COORDINATORS[target === 'leader' ? at : 1 - at]!)!];
  }

  async #leader(): Promise<BareCalls | undefined> {
    const leads = await Promise.all(this.#coordinators.map((coordinator) => coordinator.leads()));
    return this.#coordinators.find((_, i) => leads[i]);
  }

  /** W2. */
  #sweep(): void {
    for (const pid of this.#sandbox.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    }
    rmSync(this.#sandbox.directory, { recursive: true, force: true });
  }
}
