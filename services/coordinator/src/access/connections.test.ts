import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ControlServiceServer, GetStatusResponse } from '@regatta/proto/control';
import { controlService } from '@regatta/proto/services';
import { Connections } from './connections.ts';
import { connectionBounds, guard, serverCredentials } from './guard.ts';

const TOKEN = 'the-right-token-0123';
const OK = String(status.OK);
/** Short, so that a test need not wait for it; long beside the others. */
const IDLE_MS = 1_000;
const BOUNDS = { strangersMax: 3, connectionsMax: 5 };

let server: Server;
let connections: Connections;
let port: number;
let lines: string[];
const ends: (() => void)[] = [];

/** @param token undefined to let in all */
async function start(token: string | undefined): Promise<void> {
  lines = [];
  connections = new Connections({ warn: (line: unknown) => void lines.push(String(line)) }, BOUNDS);
  const refusals = { note: () => {} };
  const interceptors = token === undefined ? [] : [guard(token, refusals, connections)];
  server = new Server({ ...connectionBounds(IDLE_MS), interceptors });
  const control: Partial<ControlServiceServer> = {
    getStatus: (_, callback) => callback(null, GetStatusResponse.fromPartial({})),
  };
  server.addService(controlService, control as UntypedServiceImplementation);
  port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  connections.watch(server, token === undefined);
}

/** Somebody who connects, says nothing, and does not go either when told to. */
async function stranger(): Promise<Socket> {
  const before = connections.open + connections.closed;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {}).resume();
  ends.push(() => socket.destroy());
  await once(socket, 'connect');
  while (connections.open + connections.closed === before) await sleep(2);
  return socket;
}

async function strangers(count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) sockets.push(await stranger());
  return sockets;
}

/** A connection of its own, as gRPC's clients of one process share theirs. */
function connected(): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {});
  ends.push(() => session.destroy());
  return session;
}

/** @returns the status of a call over it, by gRPC's number */
async function called(session: ClientHttp2Session, token?: string): Promise<string> {
  const call = session.request({
    ':method': 'POST',
    ':path': '/regatta.v1.ControlService/GetStatus',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  });
  // A message without a byte.
  call.on('error', () => {}).end(Buffer.alloc(5));
  let code = '';
  for (const event of ['response', 'trailers'])
    call.on(event, (headers: Record<string, string>) => {
      code = headers['grpc-status'] ?? code;
    });
  call.resume();
  await once(call, 'close');
  return code;
}

/** Calls once, and stays. */
async function friend(token?: string): Promise<ClientHttp2Session> {
  const session = connected();
  assert.equal(await called(session, token), OK);
  return session;
}

/** Which of them the server has closed, once it has so many. */
async function closedOf(sockets: readonly Socket[], count: number): Promise<number[]> {
  const closed = (): number[] => sockets.flatMap((socket, i) => (socket.readableEnded || socket.destroyed ? [i] : []));
  while (closed().length < count) await sleep(2);
  return closed();
}

afterEach(() => {
  for (const end of ends.splice(0)) end();
  server.forceShutdown();
});

describe('connections to a coordinator that wants a token', { timeout: 20_000 }, () => {
  beforeEach(() => start(TOKEN));

  it('of strangers are so many; the one that was there first makes room', async () => {
    const sockets = await strangers(BOUNDS.strangersMax);
    const peer = `127.0.0.1:${sockets[0]!.localPort}`;
    assert.deepEqual([connections.closed, lines], [0, []]);
    sockets.push(...(await strangers(2)));
    assert.deepEqual(await closedOf(sockets, 2), [0, 1]);
    assert.equal(connections.closed, 2);
    const why = 'to make room: there were 4, 4 of them without a call that was let in';
    assert.deepEqual(lines, [`closed the connection from ${peer} ${why}`]);
  });

  it('that make room are gone, also where the other end keeps its half', async () => {
    await strangers(BOUNDS.strangersMax + 2);
    const handles = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    // Both ends are in this process: of those that were closed one is left.
    while (handles() > 2 * BOUNDS.strangersMax + 2) await sleep(2);
    assert.equal(connections.open, BOUNDS.strangersMax);
  });

  it('that were idle for too long make room as well, where the other end keeps its half', async () => {
    const sockets = await strangers(BOUNDS.strangersMax);
    const ended = (): boolean => sockets.every(({ readableEnded }) => readableEnded);
    while (!ended()) await sleep(2);
    await strangers(BOUNDS.strangersMax);
    while (connections.open > BOUNDS.strangersMax) await sleep(2);
    assert.equal(connections.closed, BOUNDS.strangersMax);
  });

  it('of who has shown it stay, however many strangers come, and new ones that show it get in', async () => {
    const first = await friend(TOKEN);
    await strangers(3 * BOUNDS.strangersMax);
    const second = await friend(TOKEN);
    await strangers(3 * BOUNDS.strangersMax);
    const { closed } = connections;
    for (const session of [first, second]) assert.equal(await called(session, TOKEN), OK);
    assert.equal(connections.closed, closed);
  });

  it('of who has shown a wrong one are strangers still', async () => {
    const session = connected();
    assert.equal(await called(session, `${TOKEN}x`), String(status.UNAUTHENTICATED));
    const gone = once(session, 'close');
    await strangers(BOUNDS.strangersMax);
    await gone;
    assert.equal(connections.closed, 1);
  });

  it('are so many in all: who is one too many is not taken, unless there is a stranger to make room', async () => {
    const friends: ClientHttp2Session[] = [];
    while (friends.length < BOUNDS.connectionsMax - 1) friends.push(await friend(TOKEN));
    const last = await stranger();
    friends.push(await friend(TOKEN));
    assert.deepEqual(await closedOf([last], 1), [0]);
    const refused = await stranger();
    assert.deepEqual(await closedOf([refused], 1), [0]);
    for (const session of friends) assert.equal(await called(session, TOKEN), OK);
  });
});

describe('connections to a coordinator that lets in all', { timeout: 20_000 }, () => {
  beforeEach(() => start(undefined));

  it('are of strangers until they call', async () => {
    const caller = await friend();
    const sockets = await strangers(BOUNDS.strangersMax + 1);
    assert.deepEqual(await closedOf(sockets, 1), [0]);
    const { closed } = connections;
    assert.equal(await called(caller), OK);
    assert.equal(connections.closed, closed);
  });
});
