/**
 * Real processes for integration tests: a coordinator, node-agents, the CLI, each with a state directory of its own.
 *
 * - T1: every process started here, and every process that those start, carries REGATTA_STATE_DIR in its environment:
 *   that is how `processesOf` finds them again, and nothing else is ever signalled.
 * - T2: every wait has an end; a wait that runs out says what it waited for.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI_MAIN = fileURLToPath(new URL('../../services/coordinator/src/main.ts', import.meta.url));
const AGENT_MAIN = fileURLToPath(new URL('../../services/node-agent/src/main.ts', import.meta.url));
const CLI_MS_MAX = 60_000;
const START_MS_MAX = 20_000;
const POLL_MS = 20;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves as soon as what it has written to stderr so far matches. */
  says(pattern: RegExp, withinMs?: number): Promise<void>;
}

type Environment = Readonly<Record<string, string>>;

/** A place for state and logs that knows which processes belong to it. */
export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), 'regatta-it-'));

  environment(extra: Environment = {}): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(REGATTA_|NODE_TEST_CONTEXT)/.test(name));
    return { ...Object.fromEntries(inherited), REGATTA_STATE_DIR: this.directory, ...extra };
  }

  /** What one of its processes has logged so far. */
  log(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }

  /** Runs `regatta ARGS` to its end; kills it, loudly, after half a minute. */
  regatta(args: readonly string[], extra: Environment = {}): Promise<Ended> {
    return this.start(args, extra).ended;
  }

  /** The same, and its stdout as JSON. @throws where it is not one JSON value */
  async json<T>(args: readonly string[], extra: Environment = {}): Promise<T> {
    const { stdout, stderr, code } = await this.regatta([...args, '--json'], extra);
    try {
      return JSON.parse(stdout) as T;
    } catch {
      throw new Error(`regatta ${args.join(' ')} --json ended with ${code} and no JSON: ${stdout}${stderr}`);
    }
  }

  /** Runs `regatta-node-agent ARGS` to its end, likewise. */
  agent(args: readonly string[]): Promise<Ended> {
    return this.startAgent(args).ended;
  }

  startAgent(args: readonly string[], extra: Environment = {}): RunningCli {
    return this.#start(AGENT_MAIN, args, extra);
  }

  start(args: readonly string[], extra: Environment = {}): RunningCli {
    return this.#start(CLI_MAIN, args, extra);
  }

  #start(main: string, args: readonly string[], extra: Environment): RunningCli {
    const child = spawn(process.execPath, [main, ...args], {
      env: this.environment(extra),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    const heard = new Set<() => void>();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]!.setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
        for (const check of heard) check();
      });
    }
    const ended = new Promise<Ended>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`regatta ${args.join(' ')} did not end in ${CLI_MS_MAX} ms; stderr: ${output.stderr}`));
      }, CLI_MS_MAX);
      child.once('error', reject);
      // Not 'close': a process that it left behind may hold the pipes open for ever.
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        setImmediate(() => resolve({ code, signal, ...output }));
      });
    });
    ended.catch(() => {});
    const says = (pattern: RegExp, withinMs = START_MS_MAX): Promise<void> =>
      new Promise((resolve, reject) => {
        const done = (settle: () => void): void => {
          clearTimeout(timer);
          heard.delete(check);
          settle();
        };
        const check = (): void => {
          if (pattern.test(output.stderr)) done(resolve);
        };
        const fail = (why: string): void =>
          done(() => reject(new Error(`${why} ${pattern}; stderr: ${output.stderr}`)));
        const timer = setTimeout(() => fail(`after ${withinMs} ms it had not said`), withinMs);
        heard.add(check);
        void ended.then(
          () => (pattern.test(output.stderr) ? done(resolve) : fail('it ended without saying')),
          () => {},
        );
        check();
      });
    return { child, ended, says };
  }

  /** Ids of living processes that carry this sandbox's directory in their environment. */
  processes(): number[] {
    const mark = `REGATTA_STATE_DIR=${this.directory}\0`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => (readProc(pid, 'environ') ?? '').includes(mark))
      .map(Number);
  }

  /** @throws naming the processes that are still there when the time is up; ends them, too */
  async nothingLeft(withinMs = 3_000): Promise<void> {
    const left = (): number[] => this.processes();
    try {
      await eventually(() => left().length === 0, withinMs, 'every process to end');
    } catch (thrown) {
      const names = left().map((pid) => `${pid}: ${commandOf(pid)}`);
      for (const pid of left()) kill(pid, 'SIGKILL');
      throw new Error(`left behind:\n${names.join('\n')}`, { cause: thrown });
    }
  }

  /** Ends what is left, quietly, and removes the directory. */
  async discard(): Promise<void> {
    for (const pid of this.processes()) kill(pid, 'SIGKILL');
    await eventually(() => this.processes().length === 0, 5_000, 'killed processes to go');
    rmSync(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
  }
}

export interface Agent {
  readonly id: string;
  readonly pid: number;
  readonly child: ChildProcess;
}

export interface AgentOptions {
  /** That it says it has. */
  readonly cores?: number;
  /** More options of regatta-node-agent; the last of a kind counts. */
  readonly args?: readonly string[];
  /** Instead of the coordinator itself. */
  readonly dials?: string;
}

export interface ClusterOptions {
  readonly agents?: number;
  /** Of each agent. */
  readonly cores?: number;
  readonly agentArgs?: readonly string[];
  /** More options of `regatta serve`; the last of a kind counts. */
  readonly serveArgs?: readonly string[];
}

/** A coordinator and its agents, as `serve` and `regatta-node-agent` start them on hosts of their own. */
export class Cluster {
  readonly sandbox: Sandbox;
  readonly address: string;
  coordinator: ChildProcess;
  readonly agents: Agent[] = [];
  /** What the coordinator has logged so far: nothing, unless its log level says otherwise. */
  log: () => string;
  readonly #serveArgs: readonly string[];

  private constructor(
    sandbox: Sandbox,
    coordinator: ChildProcess,
    address: string,
    log: () => string,
    serveArgs: readonly string[],
  ) {
    this.sandbox = sandbox;
    this.coordinator = coordinator;
    this.address = address;
    this.log = log;
    this.#serveArgs = serveArgs;
  }

  static async start({ agents = 2, cores = 2, agentArgs = [], serveArgs = [] }: ClusterOptions = {}): Promise<Cluster> {
    const sandbox = new Sandbox();
    try {
      const { child, ready, stderr } = forkReady(CLI_MAIN, serve('127.0.0.1:0', serveArgs), sandbox.environment());
      const { address } = await ready;
      const cluster = new Cluster(sandbox, child, address!, stderr, serveArgs);
      const ids = Array.from({ length: agents }, (_, i) => `node-${i + 1}`);
      await Promise.all(ids.map((id) => cluster.addAgent(id, { cores, args: agentArgs })));
      return cluster;
    } catch (thrown) {
      await sandbox.discard();
      throw thrown;
    }
  }

  async addAgent(id: string, { cores = 2, args: more = [], dials = this.address }: AgentOptions = {}): Promise<Agent> {
    const args = ['--id', id, '--coordinator', dials, '--cores', String(cores), '--log-level', 'silent', ...more];
    const { child, ready } = forkReady(AGENT_MAIN, [...args, '--ends-with-parent'], this.sandbox.environment());
    await ready;
    const agent = { id, pid: child.pid!, child };
    this.agents.push(agent);
    return agent;
  }

  /** Kills the coordinator with -9, and starts another one at its address. */
  async restartCoordinator(): Promise<void> {
    const gone = once(this.coordinator, 'exit');
    this.coordinator.kill('SIGKILL');
    await gone;
    const args = serve(this.address, this.#serveArgs);
    const { child, ready, stderr } = forkReady(CLI_MAIN, args, this.sandbox.environment());
    await ready;
    this.coordinator = child;
    this.log = stderr;
  }

  regatta(args: readonly string[]): Promise<Ended> {
    return this.sandbox.regatta([...args, '--coordinator', this.address]);
  }

  json<T>(args: readonly string[]): Promise<T> {
    return this.sandbox.json<T>([...args, '--coordinator', this.address]);
  }

  start(args: readonly string[]): RunningCli {
    return this.sandbox.start([...args, '--coordinator', this.address]);
  }

  /** Ends all, agents without finishing what they have, and checks that nothing is left. */
  async stop(): Promise<void> {
    try {
      for (const { child } of this.agents) child.kill('SIGQUIT');
      this.coordinator.kill('SIGTERM');
      await this.sandbox.nothingLeft(5_000);
    } finally {
      await this.sandbox.discard();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

const serve = (listen: string, more: readonly string[]): string[] => [
  ...['serve', '--listen', listen, '--log-level', 'silent', '--ends-with-parent'],
  ...more,
];

export interface Coordinator {
  readonly child: ChildProcess;
  readonly address: string;
  readonly log: () => string;
}

/** `regatta serve` in a sandbox. @param args the last of a kind counts */
export async function startCoordinator(sandbox: Sandbox, args: readonly string[] = []): Promise<Coordinator> {
  const { child, ready, stderr } = forkReady(CLI_MAIN, serve('127.0.0.1:0', args), sandbox.environment());
  const { address } = await ready;
  return { child, address: address!, log: stderr };
}

function forkReady(
  main: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): { child: ChildProcess; ready: Promise<{ address?: string }>; stderr: () => string } {
  const child = fork(main, args, { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ready = new Promise<{ address?: string }>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${main} was not ready in time: ${stderr}`)), START_MS_MAX);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`${main} ended with ${code}: ${stderr}`));
    });
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve(message as { address?: string });
    });
  });
  return { child, ready, stderr: () => stderr };
}

/** Polls what no event tells. @throws when the time is up, naming what was waited for */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  withinMs: number,
  what: string,
): Promise<void> {
  for (const start = performance.now(); !(await holds()); await sleep(POLL_MS)) {
    if (performance.now() - start > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`);
  }
}

/** Children of a process, by id: of an agent, its host processes. */
export function childrenOf(pid: number): number[] {
  const text = readProc(String(pid), `task/${pid}/children`) ?? '';
  return text.trim() === '' ? [] : text.trim().split(' ').map(Number);
}

/** Whether the process runs: a zombie does not. */
export function isRunning(pid: number): boolean {
  const state = /^State:\s+(\w)/m.exec(readProc(String(pid), 'status') ?? '')?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Seconds on a core, user and system, in clock ticks. */
export function cpuTicksOf(pid: number): number {
  const stat = readProc(String(pid), 'stat') ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Resident memory in MiB; 0 of a process that is gone. */
export function memoryMiBOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readProc(String(pid), 'status') ?? '')?.[1] ?? 0) / 1024;
}

const commandOf = (pid: number): string => (readProc(String(pid), 'cmdline') ?? '').replaceAll('\0', ' ').trim();

function readProc(pid: string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

/** Whether the process holds an established TCP connection to this port of this machine (proc(5), /proc/net/tcp). */
export function isConnectedTo(pid: number, port: number): boolean {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(remote) && fields[3] === '01')
    .map((fields) => `socket:[${fields[9]}]`);
  return socketsOf(pid).some((socket) => established.includes(socket));
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // A descriptor closed while we looked, or the process is gone.
    return [];
  }
}
