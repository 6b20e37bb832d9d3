/** Starts the coordinator and node-agents as processes of their own and waits until each is of use. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegattaError } from '@regatta/kernel';
import { makeStateDirectory } from './state.ts';

const COORDINATOR_MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const AGENT_MAIN = fileURLToPath(new URL('../../../node-agent/src/main.ts', import.meta.url));
const START_MS_MAX = 20_000;
const LOG_TAIL_BYTES = 600;

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Of a coordinator: where it listens. */
  readonly address: string;
}

/** `attached` processes end with this one; detached ones outlive it. */
export type Tie = 'attached' | 'detached';

export const startCoordinator = (listen: string, tie: Tie): Promise<Started> =>
  start('coordinator', COORDINATOR_MAIN, ['serve', '--listen', listen], tie);

export const startAgent = (id: string, coordinator: string, tie: Tie): Promise<Started> =>
  start(`agent ${id}`, AGENT_MAIN, ['--id', id, '--coordinator', coordinator], tie);

/** @throws RegattaError START_FAILED with the end of the process's log */
function start(name: string, main: string, args: readonly string[], tie: Tie): Promise<Started> {
  const logFile = join(makeStateDirectory(), `${name.replace(' ', '-')}.log`);
  const log = openSync(logFile, 'w');
  const tied = tie === 'attached' ? ['--ends-with-parent'] : [];
  const child = fork(main, [...args, ...tied], {
    stdio: ['ignore', log, log, 'ipc'],
    // In a group of its own a process does not get the terminal's Ctrl-C: its parent decides when it ends.
    detached: true,
    env: { ...process.env, REGATTA_LOG_LEVEL: process.env.REGATTA_LOG_LEVEL ?? 'info' },
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new RegattaError('START_FAILED', `the ${name} did not start: ${why}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${START_MS_MAX} ms; see ${logFile}`), START_MS_MAX);
    const onExit = (): void => fail(lastWords(logFile));
    child.once('error', (error) => fail(error.message));
    child.once('exit', onExit);
    child.once('message', (message: { address?: string }) => {
      clearTimeout(timer);
      child.off('exit', onExit);
      if (tie === 'detached') {
        child.disconnect();
        child.unref();
      }
      resolve({ child, pid: child.pid!, address: message.address ?? '' });
    });
  });
}

function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').slice(-LOG_TAIL_BYTES).trim().split('\n');
  return (lines.at(-1) || 'it said nothing').replace(/^regatta: /, '');
}
