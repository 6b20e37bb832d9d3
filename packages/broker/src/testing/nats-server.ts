/**
 * A real nats-server of the PATH, for tests: on a free loopback port, with a store of its own, to be killed, paused and
 * started again on the same port and store. It ends with the process that started it, and so does a store of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const START_MS_MAX = 15_000;
const LOOK_MS = 10;
const SETPRIV = '/usr/bin/setpriv';

export interface NatsOptions {
  /** Where JetStream keeps what it has; else a temporary folder. */
  readonly store?: string;
  readonly port?: number;
  /** Default true. */
  readonly jetstream?: boolean;
  /** What all streams in it may hold together. */
  readonly storeBytesMax?: number;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Further lines of its configuration; not of `jetstream`, whose store would be another then. */
  readonly config?: string;
}

export interface NatsServer {
  /** Without credentials. */
  readonly url: string;
  readonly port: number;
  readonly store: string;
  readonly pid: number;
  /** Ends it in good order; `restart` may follow. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL; `restart` may follow. */
  kill(): Promise<void>;
  /** With SIGSTOP: connections stay, nothing answers. */
  pause(): void;
  resume(): void;
  /** On the same port and store, with other options where some are given. */
  restart(changes?: Omit<NatsOptions, 'port' | 'store'>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const cleanUps = new Set<() => void>();
process.once('exit', () => {
  for (const cleanUp of cleanUps) cleanUp();
});

/** @returns once it accepts connections. @throws Error with its last words where it does not start */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'regatta-nats-'));
  const store = options.store ?? join(folder, 'store');
  const port = options.port ?? (await freePort());
  // Through all its lives: among others of a cluster it is known by it.
  const name = randomUUID();
  let now: NatsOptions = options;
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = await started({ ...now, store, port }, name, join(folder, 'nats.conf'));
  };
  const cleanUp = (): void => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  cleanUps.add(cleanUp);
  await start();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const exit = once(child, 'exit');
    child.kill(signal);
    // A paused process hears SIGTERM once it goes on.
    child.kill('SIGCONT');
    await exit;
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    store,
    get pid() {
      return child.pid!;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart(changes = {}) {
      await end('SIGKILL');
      now = { ...now, ...changes };
      await start();
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      cleanUps.delete(cleanUp);
      cleanUp();
    },
  };
}

async function started(
  options: NatsOptions & { store: string; port: number },
  name: string,
  file: string,
): Promise<ChildProcess> {
  writeFileSync(file, `server_name: "${name}"\n${configOf(options)}`, { mode: 0o600 });
  const command = ['nats-server', '--config', file];
  // A test that is killed leaves none behind.
  if (isExecutable(SETPRIV)) command.unshift(SETPRIV, '--pdeathsig', 'KILL', '--');
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  // The test's process shall not wait for it.
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  for (const giveUpAt = performance.now() + START_MS_MAX; !(await answers(options.port, name)); await delay(LOOK_MS)) {
    if (failure === undefined && child.exitCode === null && performance.now() < giveUpAt) continue;
    child.kill('SIGKILL');
    throw new Error(`nats-server did not start: ${failure?.message ?? said}`);
  }
  return child;
}

function configOf({
  store,
  port,
  jetstream = true,
  storeBytesMax,
  user,
  password,
  token,
  config = '',
}: NatsOptions): string {
  const lines = [`listen: "127.0.0.1:${port}"`, 'max_payload: 8388608', 'write_deadline: "10s"'];
  const most = storeBytesMax === undefined ? '' : `, max_file_store: ${storeBytesMax}`;
  if (jetstream) lines.push(`jetstream { store_dir: ${JSON.stringify(store)}${most} }`);
  if (user !== undefined) {
    lines.push(`authorization { user: ${JSON.stringify(user)}, password: ${JSON.stringify(password ?? '')} }`);
  }
  if (token !== undefined) lines.push(`authorization { token: ${JSON.stringify(token)} }`);
  return `${[...lines, config].join('\n')}\n`;
}

/** Whether that very server does: another process may have been given the same port meanwhile. */
function answers(port: number, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .once('data', (info) => end(info.includes(name)))
      .once('error', () => end(false))
      .once('close', () => end(false));
  });
}

/** That was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
