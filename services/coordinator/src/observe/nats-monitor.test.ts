import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterEach, it } from 'node:test';
import { limits } from './limits.ts';
import { monitored } from './nats-monitor.ts';

const VARZ = { connections: 3, mem: 2 ** 24, cpu: 50, slow_consumers: 0, in_bytes: 1, out_bytes: 2 };
const JSZ = { memory: 0, storage: 7, config: { max_storage: 100 }, api: { errors: 4 } };
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const json = (parts: Readonly<Record<string, unknown>>): Promise<string> =>
  serve(({ url }, response) => response.end(JSON.stringify(parts[url!] ?? null)));

it('a server is told of by both of its pages, below whatever path they are', async () => {
  assert.deepEqual(await monitored(await json({ '/varz': { ...VARZ, more: 1 }, '/jsz': { ...JSZ, streams: 9 } })), {
    varz: VARZ,
    jsz: JSZ,
  });
  const below = `${await json({ '/nats/varz': VARZ, '/nats/jsz': JSZ })}/nats`;
  assert.deepEqual(await monitored(below), { varz: VARZ, jsz: JSZ });
});

it('a page that makes no sense is none, and the other one stands', async () => {
  for (const bad of [null, 'text', {}, { ...VARZ, mem: 'much' }]) {
    assert.deepEqual(await monitored(await json({ '/varz': bad, '/jsz': JSZ })), { varz: undefined, jsz: JSZ });
  }
});

it('a server that is not there, refuses or sends too much tells nothing', async () => {
  const nothing = { varz: undefined, jsz: undefined };
  assert.deepEqual(await monitored('http://127.0.0.1:1'), nothing);
  const refusing = await serve((_, response) => response.writeHead(500).end(JSON.stringify({ ...VARZ, ...JSZ })));
  assert.deepEqual(await monitored(refusing), nothing);
  const filler = 'x'.repeat(limits.natsAnswerBytesMax);
  assert.deepEqual(await monitored(await json({ '/varz': { ...VARZ, filler }, '/jsz': { ...JSZ, filler } })), nothing);
});

it('one that does not answer is waited for no longer than its time', { timeout: 20_000 }, async () => {
  const silent = await serve(() => {});
  const startedAt = performance.now();
  assert.deepEqual(await monitored(silent), { varz: undefined, jsz: undefined });
  const ms = performance.now() - startedAt;
  assert.ok(ms < limits.natsAnswerMsMax + 2_000, `${ms} ms`);
});
