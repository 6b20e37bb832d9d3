// One install at a time in a checkout: two npm installs at once delete each other's files.
//
// The owner touches the lock file as long as it lives. A lock that nobody has touched for a while is a dead owner's,
// unless the npm that it started is still there (the owner was killed outright). Judged by watching and not by comparing
// times: clocks differ between hosts on one file system, and stand still in a suspended machine.
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const TIMES = {
  touchMs: 1_000,
  pollMs: 200,
  /** Not touched for so long: dead. */
  deadAfterMs: 15_000,
  /** Then an npm process of that number must be another one, which got the number since. */
  orphanMsMax: 600_000,
  /** Two that took a dead owner's lock at once find out in this time. */
  settleMs: 100,
};

/**
 * Runs `work` while holding the lock; waits for it first.
 * @param {string} path of the lock file; its folder exists
 * @param {(message: string) => void} say told once if there is a wait
 * @param {(setInstaller: (pid: number | undefined) => void) => Promise<void>} work
 * @param {Partial<typeof TIMES>} [times] other times than the usual, for tests
 */
export async function withInstallLock(path, say, work, times = {}) {
  const { touchMs, ...waiting } = { ...TIMES, ...times };
  const token = randomUUID();
  await acquire(path, token, say, waiting);
  const touching = setInterval(() => touch(path), touchMs);
  try {
    await work((pid) => writeFileSync(path, JSON.stringify({ token, host: hostname(), installer: pid })));
  } finally {
    clearInterval(touching);
    if (read(path)?.token === token) rmSync(path, { force: true });
  }
}

async function acquire(path, token, say, { pollMs, settleMs, deadAfterMs, orphanMsMax }) {
  let seen;
  let since = performance.now();
  for (let told = false; ; await sleep(pollMs)) {
    if (create(path, token)) {
      await sleep(settleMs);
      if (read(path)?.token === token) return;
    }
    const now = versionOf(path);
    if (now === undefined) continue;
    if (now !== seen) {
      seen = now;
      since = performance.now();
    }
    if (!told) say('Another command is installing what Regatta needs; waiting for it ...');
    told = true;
    const quietMs = performance.now() - since;
    const dead = quietMs > deadAfterMs && (!hasInstaller(path) || quietMs > orphanMsMax);
    if (dead && versionOf(path) === seen) discard(path, token);
  }
}

function create(path, token) {
  try {
    writeFileSync(path, JSON.stringify({ token, host: hostname() }), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new Error(`cannot lock the install: ${error.message}`);
  }
}

/** By renaming, which only one of several can do to one file. */
function discard(path, token) {
  try {
    renameSync(path, `${path}.${token}`);
    rmSync(`${path}.${token}`, { force: true });
  } catch {
    // Another was first.
  }
}

function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Taken away by hand: the install goes on all the same.
  }
}

/** Changes when the owner changes or touches it; undefined where there is no lock. */
function versionOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.mtimeMs}`;
}

/** Whether npm still runs that the owner started; on another host there is no telling. */
function hasInstaller(path) {
  const { host, installer } = read(path) ?? {};
  if (host !== hostname() || !Number.isInteger(installer)) return false;
  try {
    process.kill(installer, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Gone, or not written to its end.
    return undefined;
  }
}
