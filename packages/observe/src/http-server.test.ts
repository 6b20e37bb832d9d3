import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it, mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRegistry, Exposition } from './exposition.ts';
import { type ObserveOptions, type ObserveServer, reachableAt, startObserving } from './http-server.ts';
import { limits } from './limits.ts';

const TOKEN = 'a-token-of-enough-length';
const open: ObserveServer[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function start(over: Partial<ObserveOptions> = {}): Promise<{ server: ObserveServer; url: string }> {
  const exposition = new Exposition(createRegistry(), () => {});
  const server = await startObserving({
    listen: '127.0.0.1:0',
    token: undefined,
    exposition,
    complaint: () => undefined,
    ...over,
  });
  open.push(server);
  return { server, url: `http://${server.address}` };
}

const get = async (url: string, init: RequestInit = {}) => {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: await response.text() };
};

async function raw(server: ObserveServer): Promise<Socket> {
  const [host, port] = server.address.split(':');
  const socket = connect(Number(port), host!);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('the metrics server', () => {
  it('tells metrics, in the format that is asked for', async () => {
    const { url } = await start();
    const text = await get(`${url}/metrics?x=1`);
    assert.equal(text.status, 200);
    assert.equal(text.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const asked = await get(`${url}/metrics`, { headers: { accept: 'application/openmetrics-text; version=1.0.0' } });
    assert.equal(asked.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    assert.ok(asked.body.endsWith('# EOF\n'));
  });

  it('says what there is where it is asked for something else', async () => {
    const { url } = await start({ routes: { '/sd': () => ({ status: 200, type: 'application/json', body: '[]' }) } });
    const { status, body } = await get(`${url}/nothing`);
    assert.deepEqual([status, body], [404, 'there are: /metrics /sd /healthz /readyz\n']);
    assert.equal((await get(`${url}/sd`)).body, '[]');
  });

  it('takes GET and HEAD only', async () => {
    const { url } = await start();
    const posted = await get(`${url}/metrics`, { method: 'POST', body: 'x' });
    assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
    const head = await get(`${url}/metrics`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
    assert.ok(Number(head.headers.get('content-length')) > 1_000);
  });

  it('says whether the service is of use, and why not', async () => {
    let complaint: string | undefined = 'no leader';
    const { url } = await start({ complaint: () => complaint });
    assert.equal((await get(`${url}/healthz`)).status, 200);
    const before = await get(`${url}/readyz`);
    assert.deepEqual([before.status, before.body], [503, 'no leader\n']);
    complaint = undefined;
    assert.equal((await get(`${url}/readyz`)).status, 200);
  });

  it('says in a line that its port is taken', async () => {
    const { server } = await start();
    await assert.rejects(start({ listen: server.address }), {
      code: 'CANNOT_LISTEN',
      message: `cannot serve metrics on ${server.address}: the port is in use; end what holds it or give another --metrics`,
    });
  });

  it('answers with what went wrong where metrics cannot be made', async () => {
    const exposition = new Exposition(createRegistry(), () => {
      throw new Error('no figures');
    });
    const { url } = await start({ exposition });
    const { status, body } = await get(`${url}/metrics`);
    assert.deepEqual([status, body], [500, 'no figures\n']);
  });
});

describe('with a token', () => {
  const asked = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

  it('metrics and targets are for who shows it, health for everybody', async () => {
    const refused: string[] = [];
    const { url } = await start({
      token: TOKEN,
      onRefused: (reason) => refused.push(reason),
      routes: { '/sd': () => ({ status: 200, type: 'application/json', body: '[]' }) },
    });
    for (const path of ['/metrics', '/sd']) {
      const missing = await get(url + path);
      assert.deepEqual([missing.status, missing.headers.get('www-authenticate')], [401, 'Bearer']);
      assert.equal((await get(url + path, asked(`${TOKEN}x`))).status, 401);
      assert.equal((await get(url + path, asked(TOKEN))).status, 200);
    }
    assert.deepEqual(refused, ['missing', 'wrong', 'missing', 'wrong']);
    for (const path of ['/healthz', '/readyz']) assert.equal((await get(url + path)).status, 200);
  });
});

describe('clients that are slow or many', () => {
  it('are cut off where they do not say what they want', { timeout: 20_000 }, async () => {
    const { server } = await start();
    const socket = await raw(server);
    socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n');
    const startedAt = performance.now();
    socket.resume();
    await once(socket, 'close');
    const ms = performance.now() - startedAt;
    assert.ok(ms < limits.headersMsMax + 3_000, `after ${ms} ms`);
  });

  it('do not keep others out by connections that ask for nothing: the one idle for longest makes room', async () => {
    const { server, url } = await start();
    const sockets: Socket[] = [];
    for (let i = 0; i < limits.connectionsMax; i++) sockets.push(await raw(server));
    // The first one has asked since: the second is now the idlest.
    const answered = once(sockets[0]!, 'data');
    sockets[0]!.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await answered;
    const closed = sockets.map((socket, i) => once(socket.resume(), 'close').then(() => i));
    assert.equal((await get(`${url}/healthz`)).status, 200);
    assert.equal(await Promise.race(closed), 1);
    assert.equal(sockets.filter((socket) => socket.closed).length, 1);
    for (const socket of sockets) socket.destroy();
  });

  it('are let go after so many requests, and after so long', async () => {
    const { server } = await start();
    const said: string[] = [];
    const socket = await raw(server);
    socket.on('data', (data) => said.push(String(data)));
    const request = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
    const closed = once(socket, 'close');
    for (let i = 0; i < limits.requestsPerConnectionMax && !socket.destroyed; i++) {
      const answered = once(socket, 'data');
      socket.write(request);
      await answered;
    }
    await closed;
    assert.equal(said.length, limits.requestsPerConnectionMax);
    assert.match(said.at(-1)!, /connection: close/i);
    const old = await raw(server);
    mock.method(performance, 'now', () => -performance.timeOrigin + Date.now() + limits.connectionMsMax + 1_000);
    const ended = once(old, 'close');
    const last = once(old, 'data');
    old.write(request);
    assert.match(String((await last)[0]), /connection: close/i);
    await ended;
    mock.restoreAll();
  });

  it('beyond a number of answers under way are turned away at once, and let in when others have gone', async () => {
    const allAsked = Promise.withResolvers<void>();
    let asked = 0;
    const render = (): Promise<never> => {
      if (++asked === limits.connectionsMax) allAsked.resolve();
      return new Promise(() => {});
    };
    const { server, url } = await start({ exposition: { render } as unknown as Exposition });
    const sockets = await Promise.all(Array.from({ length: limits.connectionsMax }, () => raw(server)));
    for (const socket of sockets) socket.write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n');
    await allAsked.promise;
    const startedAt = performance.now();
    const late = await raw(server);
    late.resume();
    await once(late, 'close');
    assert.ok(performance.now() - startedAt < limits.headersMsMax / 2, 'it was let in, and cut off for its silence');
    for (const socket of sockets) socket.destroy();
    // When the server has noticed, no event here tells.
    const answered = (): Promise<boolean> =>
      get(`${url}/healthz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    for (const giveUpAt = performance.now() + 5_000; !(await answered()); await sleep(10)) {
      assert.ok(performance.now() < giveUpAt, 'nobody is let in any more');
    }
  });
});

it('an address that means all of them is told as the name of this machine', () => {
  assert.equal(reachableAt('127.0.0.1:1'), '127.0.0.1:1');
  for (const all of ['0.0.0.0:7', '[::]:7', '*:7']) assert.doesNotMatch(reachableAt(all), /^(0\.0\.0\.0|\[::\]|\*):/);
});
