import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
// @ts-expect-error plain JavaScript, which has no types
import { withInstallLock } from './install-lock.mjs';

const TIMES = { touchMs: 20, pollMs: 10, deadAfterMs: 300, settleMs: 20 };
const folder = mkdtempSync(join(tmpdir(), 'regatta-lock-'));
const path = join(folder, 'install.lock');
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(path, { force: true }));

const silent = () => {};
/** Holds the lock until `release` is called. */
function hold() {
  const held = Promise.withResolvers<void>();
  const free = Promise.withResolvers<void>();
  const work = () => {
    held.resolve();
    return free.promise;
  };
  const done = withInstallLock(path, silent, work, TIMES);
  return { held: held.promise, release: free.resolve, done };
}

describe('while one command installs', () => {
  it('lets no other begin, and says why it waits', async () => {
    const first = hold();
    await first.held;
    const said: string[] = [];
    let entered = false;
    const second = withInstallLock(
      path,
      (message: string) => said.push(message),
      async () => (entered = true),
      TIMES,
    );
    // Longer than a dead owner is waited for: it is the touching that keeps the others out.
    await new Promise((resolve) => setTimeout(resolve, TIMES.deadAfterMs * 2));
    assert.equal(entered, false);
    assert.deepEqual(said, ['Another command is installing what Regatta needs; waiting for it ...']);
    first.release();
    await Promise.all([first.done, second]);
    assert.equal(entered, true);
  });

  it('lets many in one after another', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all(Array.from({ length: 6 }, () => withInstallLock(path, silent, work, TIMES)));
    assert.equal(most, 1);
    assert.equal(existsSync(path), false);
  });
});

describe('an install that failed', () => {
  it('frees the lock', async () => {
    const failing = withInstallLock(path, silent, () => Promise.reject(new Error('no')), TIMES);
    await assert.rejects(failing, /no/);
    assert.equal(existsSync(path), false);
  });
});

describe('a lock whose owner is dead', () => {
  it('is taken over, by one of those who wait', async () => {
    writeFileSync(path, JSON.stringify({ token: 'dead', host: hostname() }));
    let inside = 0;
    const work = async () => {
      assert.equal(++inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      inside--;
    };
    await Promise.all(Array.from({ length: 4 }, () => withInstallLock(path, silent, work, TIMES)));
    assert.equal(existsSync(path), false);
  });

  it('is taken over where it was not even written to its end', async () => {
    writeFileSync(path, '{"tok');
    let entered = false;
    await withInstallLock(path, silent, async () => (entered = true), TIMES);
    assert.equal(entered, true);
  });

  it('is respected as long as the npm runs that it started', async () => {
    const npm = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
    const ended = once(npm, 'exit');
    writeFileSync(path, JSON.stringify({ token: 'dead', host: hostname(), installer: npm.pid }));
    let entered = false;
    const waiting = withInstallLock(path, silent, async () => (entered = true), TIMES);
    await new Promise((resolve) => setTimeout(resolve, TIMES.deadAfterMs * 2));
    assert.equal(entered, false);
    npm.kill('SIGKILL');
    await ended;
    await waiting;
    assert.equal(entered, true);
  });

  it('is not respected for ever, as process numbers come round again', async () => {
    writeFileSync(path, JSON.stringify({ token: 'dead', host: hostname(), installer: process.pid }));
    await withInstallLock(path, silent, async () => {}, { ...TIMES, orphanMsMax: 500 });
  });
});
