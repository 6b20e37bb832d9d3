import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Broker, type BrokerOptions, type BrokerState } from './broker.ts';
import { limits } from './limits.ts';
import { type NatsOptions, type NatsServer, startNats } from './testing/nats-server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function serve(options: NatsOptions = {}): Promise<NatsServer> {
  const server = await startNats(options);
  open.push(server);
  return server;
}

/** A broker with all states that it was in. */
function brokerFor(
  servers: readonly string[],
  more: Partial<BrokerOptions> = {},
): { broker: Broker; states: BrokerState[] } {
  const broker = new Broker({ servers, name: 'broker.test', ...more });
  const states = [broker.state];
  broker.onState((state) => states.push(state));
  open.push({ [Symbol.asyncDispose]: () => broker.close() });
  return { broker, states };
}

/** Waits for a state; fails where it does not come. */
function until(broker: Broker, wanted: (state: BrokerState) => boolean): Promise<BrokerState> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(), 20_000);
    const look = (state: BrokerState): void => {
      if (!wanted(state)) return;
      clearTimeout(timer);
      stop();
      resolve(state);
    };
    const stop = broker.onState(look);
    const fail = (): void => {
      stop();
      reject(new Error(`waited in vain; it is ${JSON.stringify(broker.state)}`));
    };
    look(broker.state);
  });
}

const ready = (broker: Broker): Promise<BrokerState> => until(broker, ({ kind }) => kind === 'ready');
const complains = async (broker: Broker, of: RegExp): Promise<string> => {
  const state = await until(broker, (each) => each.kind === 'waiting' && of.test(each.complaint));
  return (state as { complaint: string }).complaint;
};

describe('without a server', () => {
  it('it says where none answers and what to do, and connects once one is started', async () => {
    const server = await serve();
    await server.stop();
    const { broker } = brokerFor([server.url]);
    assert.equal(
      await complains(broker, /connection refused/),
      `no NATS server answers at 127.0.0.1:${server.port} (connection refused): start one there, or correct the address; trying on`,
    );
    await server.restart();
    const { jsm } = await broker.connected();
    assert.equal((await jsm.getAccountInfo()).streams, 0);
    assert.deepEqual(broker.state, { kind: 'ready' });
  });

  it('that answers as NATS does, it says so too', async () => {
    const other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    open.push({ [Symbol.asyncDispose]: async () => void other.close() });
    const { port } = other.address() as AddressInfo;
    const { broker } = brokerFor([`127.0.0.1:${port}`]);
    assert.match(
      await complains(broker, /no NATS server answers/),
      new RegExp(`127.0.0.1:${port} \\(.+\\): start one`),
    );
  });

  it('closing does not hang, and who waits for a connection hears of it', async () => {
    const { broker } = brokerFor(['127.0.0.1:1']);
    const waits = assert.rejects(broker.connected(), { code: 'BROKER_CLOSED' });
    await broker.close();
    await waits;
    assert.deepEqual(broker.state, { kind: 'closed' });
  });
});

describe('over an outage', () => {
  it('the same connection goes on, with its subscriptions', async () => {
    const server = await serve();
    const { broker, states } = brokerFor([server.url]);
    const { nc } = await broker.connected();
    const heard = nc.subscribe('news');
    await server.kill();
    await complains(broker, new RegExp(`^lost NATS at 127.0.0.1:${server.port}: start it again`));
    await server.restart();
    await ready(broker);
    assert.equal((await broker.connected()).nc, nc);
    nc.publish('news', 'again');
    for await (const message of heard) {
      assert.equal(message.string(), 'again');
      break;
    }
    assert.deepEqual(
      states.map(({ kind }) => kind),
      ['waiting', 'ready', 'waiting', 'ready'],
    );
  });

  it('closing does not hang', async () => {
    const server = await serve();
    const { broker } = brokerFor([server.url]);
    const { nc } = await broker.connected();
    await server.kill();
    await until(broker, ({ kind }) => kind === 'waiting');
    nc.publish('news', 'never sent');
    await broker.close();
    assert.ok(nc.isClosed());
  });
});

it('closing does not hang while the server is paused', async () => {
  const server = await serve();
  const { broker } = brokerFor([server.url]);
  const { nc } = await broker.connected();
  server.pause();
  nc.publish('news', 'never heard');
  const begun = performance.now();
  await broker.close();
  assert.ok(performance.now() - begun < limits.closeMsMax + 2_000);
  assert.ok(nc.isClosed());
});

describe('credentials', () => {
  it('that are wrong are complained of, without the password, until they are mended', async () => {
    const server = await serve({ user: 'regatta', password: 'right' });
    const { broker } = brokerFor([server.url], { user: 'regatta', password: 'wr0ng' });
    const complaint = await complains(broker, /refuses/);
    assert.equal(
      complaint,
      `NATS at 127.0.0.1:${server.port} refuses user regatta or the password: correct that, here or there; trying on`,
    );
    await server.restart({ password: 'wr0ng' });
    await ready(broker);
  });

  it('that turn wrong over an outage are complained of, until they are mended', async () => {
    const server = await serve({ token: 'one' });
    const { broker } = brokerFor([server.url], { token: 'one' });
    await ready(broker);
    await server.restart({ token: 'two' });
    assert.match(await complains(broker, /refuses/), /refuses our token/);
    // nats.js gives up at the second refusal unless it is told not to.
    await delay(3 * limits.reconnectMs);
    await server.restart({ token: 'one' });
    await ready(broker);
  });

  it('that are missing are asked for', async () => {
    const server = await serve({ user: 'regatta', password: 'x' });
    const { broker } = brokerFor([server.url]);
    assert.match(await complains(broker, /credentials/), /wants credentials and we were given none/);
  });

  it('may be in the address', async () => {
    const server = await serve({ user: 'regatta', password: 'p@ss' });
    await ready(brokerFor([`nats://regatta:p%40ss@127.0.0.1:${server.port}`]).broker);
  });

  it('in a file that cannot be read are complained of by its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'creds-'));
    open.push({ [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) });
    const credentialsFile = join(folder, 'a.creds');
    writeFileSync(credentialsFile, 'nothing of the kind');
    const server = await serve({ user: 'regatta', password: 'x' });
    const { broker } = brokerFor([server.url], { credentialsFile });
    assert.match(await complains(broker, /credentials/), new RegExp(`refuses the credentials in ${credentialsFile}`));
  });
});

describe('without JetStream', () => {
  it('it says so, and is ready once the server was restarted with it', async () => {
    const server = await serve({ jetstream: false });
    const { broker, states } = brokerFor([server.url]);
    assert.equal(
      await complains(broker, /JetStream/),
      `NATS at 127.0.0.1:${server.port} has no JetStream: enable it (nats-server --jetstream) and restart NATS; trying on`,
    );
    assert.ok(!states.some(({ kind }) => kind === 'ready'));
    await server.restart({ jetstream: true });
    await ready(broker);
    await broker.connected();
  });

  it('any more after a restart, it is not ready', async () => {
    const server = await serve();
    const { broker } = brokerFor([server.url]);
    await ready(broker);
    await server.restart({ jetstream: false });
    await complains(broker, /has no JetStream/);
    await server.restart({ jetstream: true });
    await ready(broker);
  });

  it('for our account, it says so', async () => {
    const config =
      'accounts { A { users: [{ user: a, password: a }] }, SYS { users: [{ user: s, password: s }] } }\nsystem_account: SYS';
    const server = await serve({ config });
    const { broker } = brokerFor([server.url], { user: 'a', password: 'a' });
    assert.match(await complains(broker, /JetStream/), /has no JetStream for our account/);
  });
});
