/**
 * A real nats-server with JetStream for an embedded cluster, as a process of its own: on a free loopback port, with its
 * store, configuration and log in one folder. Not restarted when it ends by itself: `regatta status` says so.
 *
 * - N1: it ends with the process that started it, however that ends, until `letStay`.
 * - N2: nobody else on the machine can use it: user and password are random, in a file that only this user reads.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { RegattaError } from '@regatta/kernel';
import { atMost } from '@regatta/kernel/patience';
import { limits as cliLimits } from '../cli/limits.ts';
import { findNatsServer, type NatsCommand } from './find-nats.ts';
import { limits } from './limits.ts';
import { lastWords } from './spawn.ts';

const USER = 'regatta';
/** Of its log: process, time, level. */
const LINE_HEAD = /^\[\d+\] \S+ \S+ \[[A-Z]+\] /;

/**
 * N1 without a moment in between, on any Unix: the watcher is there before the shell becomes the server, and reads a
 * pipe whose other end its starter holds. End of file means that the starter is gone; a line, that the server may stay or
 * has ended. Twice in brackets, so that it is no child of the server, which would never wait for it.
 * Bounded: where nobody waits for orphans, an ended server looks alive for ever.
 */
const WATCHED = `
doomed=$1; shift
( (
  read -r word <&3 && exit
  kill -TERM $$
  [ -n "$doomed" ] || exit
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $$ || break; sleep 0.1; done
  rm -rf -- "$doomed"
) >/dev/null 2>&1 & )
exec 3<&-
exec "$@"
`;

export interface NatsOptions {
  /** Made where it is missing; the store is in it. */
  readonly folder: string;
  /** The folder goes with the server: nobody will start another one on it. */
  readonly temporary: boolean;
  /** Instead of what is found. */
  readonly command?: NatsCommand;
}

export interface NatsServer {
  /** With user and password: not for logs or command lines. */
  readonly url: string;
  /** HOST:PORT */
  readonly address: string;
  readonly pid: number;
  /** Lets it outlive this process. */
  letStay(): Promise<void>;
  /** Ends it and waits until it is gone; a temporary folder goes too. */
  close(): Promise<void>;
}

/** @throws RegattaError NO_NATS_SERVER, START_FAILED with the end of its log */
export async function startNatsServer({ folder, temporary, command }: NatsOptions): Promise<NatsServer> {
  const program = command ?? (await findNatsServer());
  const password = randomBytes(24).toString('base64url');
  const { configuration, ports, logFile } = prepare(folder, password);
  const log = openSync(logFile, 'w');
  const watched = ['-c', WATCHED, 'sh', temporary ? folder : '', ...program(folder), '-c', configuration];
  // In a group of its own it does not get the terminal's Ctrl-C: its starter decides when it ends.
  const child = spawn('/bin/sh', watched, { stdio: ['ignore', log, log, 'pipe'], detached: true });
  closeSync(log);
  const watcher = child.stdio[3] as Socket;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  // Where the watcher is gone, there is nobody to tell.
  watcher.on('error', () => {});
  // Its id may be another's soon.
  void ended.then(() => watcher.end('ended\n'));
  const close = async (): Promise<void> => {
    await endChild(child, ended);
    if (temporary) rmSync(folder, { recursive: true, force: true });
  };
  const address = await untilReady(ports, child, ended);
  if (address !== undefined) {
    const letStay = (): Promise<void> => release(child, watcher);
    return { url: `nats://${USER}:${password}@${address}`, address, pid: child.pid!, letStay, close };
  }
  const late = isRunning(child);
  await endChild(child, ended);
  const why = late ? `not ready after ${cliLimits.startMsMax} ms` : lastWords(logFile).replace(LINE_HEAD, '');
  throw new RegattaError('START_FAILED', `the nats-server did not start: ${why}; see ${logFile}`);
}

function prepare(folder: string, password: string): { configuration: string; ports: string; logFile: string } {
  const [ports, configuration, logFile] = ['ports', 'nats-server.conf', 'nats-server.log'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // What an earlier one left: its ports, and a file whose mode would stay as it was.
  for (const old of [ports, configuration]) rmSync(old, { recursive: true, force: true });
  mkdirSync(ports);
  const text = configurationOf(ports, join(folder, 'store'), password);
  writeFileSync(configuration, text, { mode: 0o600, flag: 'wx' });
  return { configuration, ports, logFile };
}

/** Port -1: any free one, told in the ports file. */
const configurationOf = (ports: string, store: string, password: string): string => `
listen: "127.0.0.1:-1"
server_name: "regatta-embedded"
ports_file_dir: ${JSON.stringify(ports)}
max_payload: ${limits.natsPayloadBytesMax}
max_pending: ${limits.natsPendingBytesMax}
jetstream {
  store_dir: ${JSON.stringify(store)}
  max_memory_store: ${limits.natsMemoryStoreBytesMax}
  max_file_store: ${limits.natsStoreBytesMax}
}
authorization { user: "${USER}", password: "${password}" }
`;

/** @returns its HOST:PORT; undefined where it ended or took too long */
async function untilReady(ports: string, child: ChildProcess, ended: Promise<void>): Promise<string | undefined> {
  for (const start = performance.now(); performance.now() - start < cliLimits.startMsMax; ) {
    const address = addressIn(ports);
    if (address !== undefined || !isRunning(child)) return address;
    await atMost(limits.natsPollMs, ended);
  }
  return undefined;
}

/** The server writes the file once it listens; it may be seen half written. */
function addressIn(ports: string): string | undefined {
  try {
    const [file] = readdirSync(ports);
    const { nats } = JSON.parse(readFileSync(join(ports, file!), 'utf8')) as { nats: string[] };
    return new URL(nats[0]!).host;
  } catch {
    return undefined;
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function release(child: ChildProcess, watcher: Socket): Promise<void> {
  await new Promise<void>((resolve) => watcher.end('stay\n', resolve));
  watcher.unref();
  child.unref();
}

async function endChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (!isRunning(child)) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), cliLimits.endMsMax);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}
