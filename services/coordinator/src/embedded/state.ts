/** What `up` leaves behind for later commands to find: one small file in the state directory. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf, RegattaError } from '@regatta/kernel';

export interface ClusterState {
  readonly address: string;
  readonly coordinator: ProcessMark;
  readonly agents: readonly (ProcessMark & { readonly id: string })[];
  /** The nats-server that was started for it; none where it was told of another, or to go without. */
  readonly nats?: ProcessMark & { readonly address: string };
  readonly startedAt: string;
}

/** A process, told apart from a later one with the same id. */
export interface ProcessMark {
  readonly pid: number;
  /** Clock ticks after boot at which it started; empty where the system does not tell. */
  readonly started: string;
}

/** Where the embedded cluster keeps its state and its logs. */
export function stateDirectory(): string {
  const { REGATTA_STATE_DIR, XDG_STATE_HOME } = process.env;
  return REGATTA_STATE_DIR || join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'regatta');
}

const stateFile = (): string => join(stateDirectory(), 'cluster.json');

export function readState(): ClusterState | undefined {
  try {
    const state = JSON.parse(readFileSync(stateFile(), 'utf8')) as ClusterState | null;
    return typeof state?.coordinator?.pid === 'number' && Array.isArray(state.agents) ? state : undefined;
  } catch {
    // None, or cut short by a crash: either way there is nothing to find.
    return undefined;
  }
}

/** @throws RegattaError NO_STATE_DIR */
export function makeStateDirectory(part = ''): string {
  const directory = join(stateDirectory(), part);
  try {
    makeFolder(directory);
    accessSync(directory, constants.W_OK);
  } catch (thrown) {
    const why = messageOf(thrown).split(',')[0];
    throw new RegattaError(
      'NO_STATE_DIR',
      `cannot use ${directory} for state (${why}); set REGATTA_STATE_DIR to another`,
    );
  }
  return directory;
}

/** With the folders above it. Node's own way of doing that never ends where one cannot be made, as under /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (thrown) {
    // Somebody else may have been quicker.
    if (!existsSync(path)) throw thrown;
  }
}

/** @throws RegattaError NO_STATE_DIR */
export function writeState(state: ClusterState): void {
  makeStateDirectory();
  const draft = `${stateFile()}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(state, undefined, 2));
  renameSync(draft, stateFile());
}

export function removeState(): void {
  rmSync(stateFile(), { force: true });
}

export const markOf = (pid: number): ProcessMark => ({ pid, started: startTicks(pid) });

/** Whether the very process still runs: not another one that got its id later. */
export function isAlive({ pid, started }: ProcessMark): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return startTicks(pid) === started;
}

/** Field 22 of /proc/PID/stat (proc(5)); a zombie counts as gone. */
function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in brackets and may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'gone' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
