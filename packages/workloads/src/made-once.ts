/**
 * Files that workloads read and nobody gave: made on the machine where a task first asks for one, and kept for the next.
 *
 * - M1: a file has its name only when it is whole: it is written under another and renamed. Several threads, processes
 *   and agents may make it at the same time; all write the same bytes, and the last to be done wins.
 * - M2: what a killed process leaves half done is removed by a later one.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { messageOf, RegattaError } from '@regatta/kernel';

const PART = '.part';
/** Longer than any takes to make. */
const ABANDONED_AFTER_MS = 3_600_000;

let made = 0;
const swept = new Set<string>();

/**
 * @param name tells all that its contents depend on: what is there under it is not made again
 * @param make writes the whole of it to a path that does not exist
 * @returns where it is
 * @throws RegattaError CANNOT_MAKE that says where, and what to do
 */
export function madeOnce(name: string, make: (path: string) => void): string {
  let path = name;
  try {
    const directory = dataDirectory();
    path = join(directory, name);
    if (!existsSync(path)) {
      mkdirSync(directory, { recursive: true });
      sweep(directory);
      makeWhole(path, make);
    }
    return path;
  } catch (thrown) {
    const why = messageOf(thrown).split(', ')[0];
    throw new RegattaError('CANNOT_MAKE', `cannot make ${path} (${why}); set REGATTA_STATE_DIR to where there is room`);
  }
}

/** Beside the rest of what Regatta keeps, and by the same variables. */
function dataDirectory(): string {
  const { REGATTA_STATE_DIR, XDG_STATE_HOME } = process.env;
  const state = REGATTA_STATE_DIR || join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'regatta');
  return join(state, 'made');
}

function makeWhole(path: string, make: (path: string) => void): void {
  // Two agents in containers may share the directory and a process id, so the time goes in too.
  const part = `${path}.${process.pid}-${threadId}-${made++}-${process.hrtime.bigint()}${PART}`;
  try {
    make(part);
    flush(part);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}

/** Without it a power cut could leave the name and not the bytes. */
function flush(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Once for each directory: a run may make many files. */
function sweep(directory: string): void {
  if (swept.has(directory)) return;
  swept.add(directory);
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const modifiedAt = name.endsWith(PART) ? statSync(path, { throwIfNoEntry: false })?.mtimeMs : undefined;
    if (modifiedAt !== undefined && Date.now() - modifiedAt > ABANDONED_AFTER_MS) rmSync(path, { force: true });
  }
}
