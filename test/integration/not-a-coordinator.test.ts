import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { Sandbox } from './cluster.ts';

// The CLI waits 5 s for an answer; a loaded machine takes some more.
const TELLS_MS_MAX = 9_000;

interface Impostor {
  readonly address: string;
  close(): void;
}

const impostors: readonly (readonly [name: string, start: () => Promise<Impostor>])[] = [
  ['a port where nothing listens', nothing],
  ['a TCP server that says nothing', () => tcp(createServer((socket) => socket.on('error', () => {})))],
  ['a TCP server that hangs up', () => tcp(createServer((socket) => socket.on('error', () => {}).end()))],
  ['an HTTP/1 server', () => tcp(createHttpServer((_, response) => response.end('hello')))],
  ['a gRPC server that is no coordinator', grpcServer],
];
const commands: readonly (readonly string[])[] = [
  ['run', 'noop'],
  ['status'],
  ['results', 'run-x'],
  ['watch', 'run-x'],
];

for (const [name, start] of impostors) {
  describe(`--coordinator names ${name}`, () => {
    let impostor: Impostor;
    let sandbox: Sandbox;
    before(async () => {
      impostor = await start();
      sandbox = new Sandbox();
    });
    after(async () => {
      impostor.close();
      await sandbox.discard();
    });

    for (const command of commands) {
      it(`${command[0]} says so in one line, soon, with exit code 3`, async () => {
        const cli = sandbox.start([...command, '--coordinator', impostor.address, '--json']);
        const deadline = setTimeout(() => cli.child.kill('SIGKILL'), TELLS_MS_MAX);
        const { code, signal, stdout, stderr } = await cli.ended;
        clearTimeout(deadline);
        assert.equal(signal, null, `it said nothing for ${TELLS_MS_MAX} ms`);
        assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
        assert.match(stderr, /^regatta: /);
        assert.match(stderr, new RegExp(impostor.address));
        assert.doesNotMatch(stderr, /\n\s+at |this is a bug/);
        assert.doesNotMatch(stderr, /T\d\d:\d\d/, 'a time of day');
        assert.deepEqual([code, stdout], [3, '']);
      });
    }
  });
}

async function nothing(): Promise<Impostor> {
  const { address, close } = await tcp(createServer());
  close();
  return { address, close: () => {} };
}

async function tcp(server: NetServer): Promise<Impostor> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { address: `127.0.0.1:${port}`, close };
}

function grpcServer(): Promise<Impostor> {
  const server = new Server();
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(error);
      else resolve({ address: `127.0.0.1:${port}`, close: () => server.forceShutdown() });
    });
  });
}
