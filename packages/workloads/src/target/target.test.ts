import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { startTarget, type Target, type TargetOptions } from './target.ts';

const running: Target[] = [];
const start = async (options: TargetOptions = {}): Promise<Target> => {
  const target = await startTarget(options);
  running.push(target);
  return target;
};
after(() => Promise.all(running.map((target) => target.close())));

const statusesOf = (target: Target, count: number, query = ''): Promise<number[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const response = await fetch(`${target.url}/?n=${n}${query}`);
      await response.arrayBuffer();
      return response.status;
    }),
  );
const bodyOf = async (url: string): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());

describe('the local target', () => {
  it('answers with as many bytes as it is told to, few or many', async () => {
    const target = await start();
    for (const bytes of [0, 1, 1024, 65_536, 65_537, 1_000_000]) {
      assert.equal((await bodyOf(`${target.url}/?bodyBytes=${bytes}`)).byteLength, bytes);
    }
  });

  it('gives the same request the same bytes, also after a restart, and another request or seed others', async () => {
    const [first, second, other] = [await start(), await start(), await start({ seed: 2 })];
    const bodies = [first, second, other].map(({ url }) => bodyOf(`${url}/a?bodyBytes=100`));
    const [body, again, elsewhere] = await Promise.all(bodies);
    assert.deepEqual(again, body);
    assert.notDeepEqual(elsewhere, body);
    assert.notDeepEqual(await bodyOf(`${first.url}/b?bodyBytes=100`), body);
  });

  it('fails as often as it is told to, and the same requests each time', async () => {
    const target = await start({ errorRate: 0.3 });
    const statuses = await statusesOf(target, 400);
    const failed = statuses.filter((status) => status === 500).length;
    assert.ok(Math.abs(failed - 120) < 40, `${failed} of 400`);
    assert.deepEqual(await statusesOf(target, 400), statuses);
    assert.deepEqual(new Set(await statusesOf(target, 20, '&errorRate=0')), new Set([200]));
  });

  it('says when to come again where it is told to', async () => {
    const target = await start({ errorRate: 1, retryAfterSeconds: 7 });
    const response = await fetch(target.url);
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '7']);
    const limited = await fetch(`${target.url}/?errorRate=0&status=429`);
    assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '7']);
  });

  it('fails the first requests for a path, and then no more', async () => {
    const target = await start({ failFirst: 2 });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await fetch(`${target.url}/a`)).status);
    assert.deepEqual(statuses, [500, 500, 200, 200]);
    assert.equal((await fetch(`${target.url}/b`)).status, 500);
  });

  it('makes its callers wait, each beside the others', async () => {
    const target = await start({ latency: { kind: 'fixed', ms: 150 } });
    const begun = performance.now();
    await statusesOf(target, 40);
    const tookMs = performance.now() - begun;
    assert.ok(tookMs >= 149 && tookMs < 40 * 150 * 0.5, `${tookMs} ms`);
    assert.equal(target.stats().inFlightMax, 40);
  });

  it('sends a caller on as often as it is told to', async () => {
    const target = await start();
    const response = await fetch(`${target.url}/a?redirects=3&bodyBytes=5`);
    assert.equal(new URL(response.url).searchParams.get('redirects'), '0');
    assert.equal((await response.arrayBuffer()).byteLength, 5);
    assert.deepEqual(target.stats().statuses, { 200: 1, 302: 3 });
  });

  it('breaks off in the middle of a body where it is told to', async () => {
    const target = await start();
    const response = await fetch(`${target.url}/?breaks=true&bodyBytes=1000`);
    assert.equal(response.status, 200);
    await assert.rejects(response.arrayBuffer());
    assert.equal(target.stats().cutShort, 1);
  });

  it('sends no body where only the head is asked for', async () => {
    const target = await start();
    const response = await fetch(`${target.url}/?bodyBytes=1000`, { method: 'HEAD' });
    assert.equal(response.headers.get('content-length'), '1000');
    assert.equal((await response.arrayBuffer()).byteLength, 0);
  });

  it('answers 400 with the reason where the query makes no sense', async () => {
    const target = await start();
    for (const query of ['bodyBytes=1e99', 'errorRate=2', 'errorRate=', 'latency=slow', 'status=20', 'redirects=1.5']) {
      const response = await fetch(`${target.url}/?${query}`);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /^(target: \w+|latency) is ".*"; give .*\n$/);
    }
  });

  it('gives its figures to a caller too, who is not counted', async () => {
    const target = await start();
    await statusesOf(target, 5);
    const stats = await (await fetch(`${target.url}/-/stats`)).json();
    assert.deepEqual(stats, target.stats());
    assert.equal(target.stats().requests, 5);
  });

  it('refuses a port that is taken, in one line', async () => {
    const { port } = await start();
    const message = new RegExp(
      `^the target cannot listen on 127\\.0\\.0\\.1:${port} \\(.*EADDRINUSE.*\\); give another$`,
    );
    await assert.rejects(startTarget({ port }), { code: 'TARGET_PORT', message });
  });

  it('closes though callers are waiting, and leaves nothing behind', async () => {
    const target = await startTarget({ latency: { kind: 'fixed', ms: 600_000 } });
    const waiting = assert.rejects(fetch(target.url));
    while (target.stats().inFlight === 0) await new Promise(setImmediate);
    await target.close();
    await waiting;
    assert.deepEqual([target.stats().inFlight, target.stats().cutShort], [0, 1]);
    await (await startTarget({ port: target.port })).close();
  });
});
