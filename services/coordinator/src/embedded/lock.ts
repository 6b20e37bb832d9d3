/** One `up` at a time: two at once would each start a cluster, and only one of them would be found again. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RegattaError } from '@regatta/kernel';
import { isAlive, makeStateDirectory, markOf, type ProcessMark } from './state.ts';

/** Calls `action` while no other process does. @throws RegattaError BUSY where one does */
export async function alone<T>(action: () => Promise<T>): Promise<T> {
  const file = join(makeStateDirectory(), 'up.lock');
  const holder = holderOf(file);
  if (holder !== undefined && !isAlive(holder)) rmSync(file, { force: true });
  try {
    writeFileSync(file, JSON.stringify(markOf(process.pid)), { flag: 'wx' });
  } catch {
    const who = holderOf(file)?.pid ?? 'another';
    throw new RegattaError('BUSY', `process ${who} is starting a cluster just now; see regatta status`);
  }
  try {
    return await action();
  } finally {
    rmSync(file, { force: true });
  }
}

function holderOf(file: string): ProcessMark | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessMark;
  } catch {
    return undefined;
  }
}
