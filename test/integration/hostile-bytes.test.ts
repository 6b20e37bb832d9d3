/**
 * A coordinator listens on a port, and anything may dial it: what is no HTTP/2, no gRPC, no message, or too much of one.
 * REGATTA_SEED replays a failure.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, describe } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ControlServiceService } from '@regatta/proto/control';
import { NodeLinkServiceService } from '@regatta/proto/node';
import { frame, gone, tell } from './hostile.ts';
import { Siege } from './hostile-siege.ts';

const SILENT_CONNECTIONS = 100;
const RANDOM_MESSAGES_PER_METHOD = 40;
const MESSAGE_BYTES_MAX = 67_108_864;
const MIB = 1_048_576;

const { connect } = NodeLinkServiceService;
const { submitRun, getRun, watchRun } = ControlServiceService;
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const METHODS = [
  ...[...Object.values(ControlServiceService), connect].map(({ path }) => path),
  ...['/grpc.health.v1.Health/Check', REFLECTION],
];

describe('while a coordinator is sent', () => {
  const silent: Socket[] = [];
  // First of all that is ended: the coordinator would wait for them.
  after(() => {
    for (const socket of silent) socket.destroy();
  });
  const siege = new Siege();

  siege.sent('bytes that are no HTTP/2, it hangs up', async (chance) => {
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const noSettings = Buffer.from('000000040000000000', 'hex');
    const halfAFrame = Buffer.from('0000400104000000', 'hex');
    const starts = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.alloc(0),
      preface,
      Buffer.concat([preface, noSettings]),
      Buffer.concat([preface, noSettings, halfAFrame]),
    ];
    const ends = Array.from({ length: 100 }, async (_, i) => {
      const garbage = chance.bytes(chance.below(500));
      const socket = await tell(siege.address, Buffer.concat([starts[i % starts.length]!, garbage]));
      if (chance.below(3) === 0) socket.resetAndDestroy();
      else socket.end();
      await gone(socket);
    });
    await Promise.all(ends);
  });

  siege.sent('nothing, over a hundred connections, it lets them be and serves the others', async () => {
    const some = Buffer.from('PRI * HTTP/2');
    for (let i = 0; i < SILENT_CONNECTIONS; i++) silent.push(await tell(siege.address, some.subarray(0, i % 12)));
    await siege.good.nodes();
  });

  siege.sent('messages of random bytes, by every method, it answers each', async (chance) => {
    for (const path of METHODS) {
      const calls = Array.from({ length: RANDOM_MESSAGES_PER_METHOD }, () => {
        const message = frame(chance.bytes(chance.below(200)));
        return siege.peer.call(path, chance.below(10) === 0 ? Buffer.alloc(0) : message);
      });
      for (const ending of await Promise.all(calls)) assert.match(ending, /^(status \d+|http \d+|reset)$/);
    }
  });

  siege.sent('calls that lie about length, compression, type, time or method, it refuses each', async (chance) => {
    // There is no wire type 7: it can never be read.
    const garbage = Buffer.concat([Buffer.of(0x07), chance.bytes(300)]);
    const bomb = frame(gzipSync(Buffer.alloc(MESSAGE_BYTES_MAX + MIB)), { flag: 1 });
    const nested = frame(Buffer.alloc(MIB, Buffer.of(0x0b)));
    for (const path of [submitRun.path, connect.path, watchRun.path]) {
      const call = (body: Uint8Array, headers = {}): Promise<string> => siege.peer.call(path, body, headers);
      assert.equal(await call(frame(garbage, { length: 0xffff_ffff })), 'status 8');
      // A node that hangs up in the middle of a frame has hung up; a request cannot be half.
      assert.equal((await call(frame(garbage, { length: 400 }))) === 'status 0', path === connect.path);
      for (const encoding of ['gzip', 'deflate', 'nonsense', 'identity']) {
        assert.notEqual(await call(frame(garbage, { flag: 1 }), { 'grpc-encoding': encoding }), 'status 0');
      }
      assert.equal(await call(bomb, { 'grpc-encoding': 'gzip' }), 'status 8');
      assert.notEqual(await call(nested), 'status 0');
      assert.match(await call(frame(garbage), { 'content-type': 'text/html' }), /^http 415|status/);
      assert.notEqual(await call(frame(garbage), { 'grpc-timeout': 'soon' }), 'status 0');
      assert.notEqual(await call(frame(garbage), { 'grpc-timeout': '1n' }), 'status 0');
    }
    for (const path of ['/', '/x', '/regatta.v1.ControlService/Nonsense', `/${'x'.repeat(9_000)}`]) {
      assert.notEqual(await siege.peer.call(path, frame(garbage)), 'status 0');
    }
  });

  siege.sent('messages just over the limit, it refuses each', async () => {
    const over = frame(Buffer.alloc(MESSAGE_BYTES_MAX + 1));
    for (const path of [submitRun.path, connect.path, getRun.path]) {
      assert.equal(await siege.peer.call(path, over), 'status 8');
    }
  });

  siege.sent('a report of twenty million outcomes of two bytes each, it refuses it', async () => {
    // ConnectRequest.report = 3, Report.outcomes = 1: each an empty message
    const outcomes = Buffer.alloc(40_000_000).fill(Buffer.of(0x0a, 0x00));
    const report = Buffer.concat([Buffer.of(0x1a), varint(outcomes.byteLength), outcomes]);
    assert.equal(await siege.peer.call(connect.path, frame(report)), 'status 13');
  });

  siege.isOver();
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
