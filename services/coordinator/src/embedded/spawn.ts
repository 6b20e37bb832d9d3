/** Starts the coordinator and node-agents as processes of their own and waits until each is of use. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegattaError } from '@regatta/kernel';
import { limits } from '../cli/limits.ts';

const COORDINATOR_MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const AGENT_MAIN = fileURLToPath(new URL('../../../node-agent/src/main.ts', import.meta.url));

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Of a coordinator: where it listens. */
  readonly address: string;
}

/** What a process is told by its environment, and not by options, which every user of the machine reads. */
export interface Secrets {
  /** As `--nats`; empty for none. */
  readonly nats?: string | undefined;
  /** That the coordinator wants and the agents show; undefined for none. */
  readonly token?: string | undefined;
  readonly insecure?: boolean;
}

/** Each process its own port: status says where the coordinator's is, and that where those of the agents are. */
const METRICS = ['--metrics', '127.0.0.1:0'];

/** @param logs the folder that it logs to */
export const startCoordinator = (listen: string, logs: string, secrets: Secrets = {}): Promise<Started> =>
  start('coordinator', COORDINATOR_MAIN, ['serve', '--listen', listen, ...METRICS], logs, secrets);

export const startAgent = (id: string, coordinator: string, logs: string, secrets: Secrets = {}): Promise<Started> =>
  start(`agent ${id}`, AGENT_MAIN, ['--id', id, '--coordinator', coordinator, ...METRICS], logs, secrets);

/** Who we are at a NATS that the environment names: nobody at another one. */
const NO_ACCOUNT = { REGATTA_NATS_USER: '', REGATTA_NATS_PASSWORD_FILE: '', REGATTA_NATS_TOKEN_FILE: '' };

const environmentOf = ({ nats = '', token = '', insecure = false }: Secrets): NodeJS.ProcessEnv => ({
  ...process.env,
  REGATTA_LOG_LEVEL: process.env.REGATTA_LOG_LEVEL ?? 'info',
  REGATTA_NATS: nats,
  ...((nats === '' || nats !== process.env.REGATTA_NATS) && NO_ACCOUNT),
  REGATTA_TOKEN: token,
  REGATTA_TOKEN_FILE: '',
  REGATTA_INSECURE: insecure ? '1' : '',
  REGATTA_ADVERTISE_METRICS: '',
  REGATTA_ADVERTISE_NATS: '',
});

/** Lets a process outlive this one. Until then it ends with it, so that no half-started cluster is left behind. */
export async function letStay({ child }: Started): Promise<void> {
  await new Promise((resolve) => child.send({ kind: 'stay' }, resolve));
  child.disconnect();
  child.unref();
}

/** @throws RegattaError START_FAILED with the end of the process's log */
function start(name: string, main: string, args: readonly string[], logs: string, secrets: Secrets): Promise<Started> {
  const logFile = join(logs, `${name.replace(' ', '-')}.log`);
  const log = openSync(logFile, 'w');
  const child = fork(main, [...args, '--ends-with-parent'], {
    stdio: ['ignore', log, log, 'ipc'],
    // In a group of its own a process does not get the terminal's Ctrl-C: its parent decides when it ends.
    detached: true,
    env: environmentOf(secrets),
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new RegattaError('START_FAILED', `the ${name} did not start: ${why}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${limits.startMsMax} ms; see ${logFile}`), limits.startMsMax);
    const onExit = (): void => fail(lastWords(logFile));
    child.once('error', (error) => fail(error.message));
    child.once('exit', onExit);
    child.once('message', (message: { address?: string }) => {
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve({ child, pid: child.pid!, address: message.address ?? '' });
    });
  });
}

export function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').slice(-limits.logTailCharacters).trim().split('\n');
  return (lines.at(-1) || 'it said nothing').replace(/^regatta: /, '');
}
