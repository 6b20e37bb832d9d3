import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Host } from './host.ts';
import { HostPool } from './host-pool.ts';
import { children, until } from './testing/executor-bench.ts';

const NOBODY: ReadonlySet<Host> = new Set();
let pool: HostPool;
let dead: Host[];

function begin(prestarted: number): Host {
  dead = [];
  const ignore = (): void => {};
  const hostLimits = { tasksMax: 1_000_000, memoryBytesMax: 2 ** 30 };
  const events = { news: ignore, late: ignore, permit: ignore, death: (host: Host) => void dead.push(host) };
  pool = new HostPool(prestarted, hostLimits, events, ignore);
  return pool.acquire(1, 1, NOBODY);
}

afterEach(async () => {
  pool.end();
  await until(() => children().length === 0, 'no host process is left');
});

describe('a pool of hosts', () => {
  it('offers an idle one before a busy one, a new one before a busy one, and never one that is taken', async () => {
    const first = begin(2);
    first.attempts.add(1);
    const second = pool.acquire(1, 1, NOBODY);
    assert.notEqual(second, first);
    assert.equal(pool.size, 2);
    second.attempts.add(2);
    const third = pool.acquire(1, 1, NOBODY);
    assert.deepEqual([pool.size, [first, second].includes(third)], [3, false]);
    third.attempts.add(3);
    first.attempts.clear();
    assert.equal(pool.acquire(1, 1, NOBODY), first);
    assert.ok(![first, second].includes(pool.acquire(1, 1, new Set([first]))));
  });

  it('shares the least busy one where there are many already', async () => {
    const first = begin(1);
    const hosts = [first];
    first.attempts.add(0);
    for (let i = 1; i < 8; i++) {
      const host = pool.acquire(1, 1, NOBODY);
      hosts.push(host);
      for (let id = 0; id <= i; id++) host.attempts.add(id);
    }
    assert.deepEqual([pool.size, new Set(hosts).size], [8, 8]);
    assert.equal(pool.acquire(1, 1, NOBODY), first);
    assert.equal(pool.acquire(1, 1, new Set([first])), hosts[1]);
  });

  it('ends an idle one of another make rather than share a busy one', async () => {
    const first = begin(1);
    first.attempts.add(0);
    const others = Array.from({ length: 7 }, (_, i) => pool.acquire(2, i + 2, NOBODY));
    for (const host of others.slice(1)) host.attempts.add(1);
    const fresh = pool.acquire(1, 1, NOBODY);
    assert.notEqual(fresh, first);
    await until(() => dead.includes(others[0]!), 'the idle one is gone');
    fresh.attempts.add(2);
    assert.equal(pool.acquire(1, 1, new Set([fresh])), first);
  });

  it('gives single-threaded hosts to any concurrency, others only to their own', async () => {
    const first = begin(1);
    assert.equal(pool.acquire(1, 64, NOBODY), first);
    const threaded = pool.acquire(2, 4, NOBODY);
    assert.deepEqual([threaded.threads, threaded.concurrency], [2, 4]);
    assert.equal(pool.acquire(2, 4, NOBODY), threaded);
    assert.notEqual(pool.acquire(2, 8, NOBODY), threaded);
  });

  it('gives nobody one that was killed', async () => {
    const first = begin(1);
    first.kill('order');
    assert.notEqual(pool.acquire(1, 1, NOBODY), first);
    await until(() => dead.length === 1, 'its death was told');
    assert.deepEqual([dead, pool.size], [[first], 1]);
  });

  it('replaces one that was kept ready and died', async () => {
    const first = begin(1);
    await first.ready;
    process.kill(first.pid, 'SIGKILL');
    await until(() => dead.length === 1, 'its death was told');
    assert.equal(pool.size, 1);
    assert.notEqual(pool.acquire(1, 1, NOBODY), first);
  });

  it('starts no others once it is at its end', async () => {
    begin(2);
    pool.end();
    await until(() => pool.size === 0, 'all are gone');
    assert.deepEqual(children(), []);
  });
});
