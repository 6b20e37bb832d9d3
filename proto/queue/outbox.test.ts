import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Connection, Line, Message } from './connection.ts';
import { Outbox } from './outbox.ts';

/** A connection on which nothing is answered until a test does. */
class Wire implements Line {
  state = { kind: 'ready' };
  readonly sent: { readonly bytes: number; readonly reply: string }[] = [];
  readonly #events = new EventEmitter();
  #answer: (error: Error | null, message: Message) => void = () => {};

  onState(listener: (state: { kind: string }) => void): () => void {
    this.#events.on('state', listener);
    return () => void this.#events.off('state', listener);
  }

  become(kind: string): void {
    this.state = { kind };
    this.#events.emit('state', this.state);
  }

  connected(): Promise<{ nc: Connection }> {
    const nc: Connection = {
      publish: (_subject, bytes, options) => {
        this.sent.push({ bytes: bytes!.byteLength, reply: options!.reply! });
      },
      subscribe: (_subject, { callback }) => {
        this.#answer = callback;
        return { drain: async () => {} };
      },
      isClosed: () => false,
    };
    return Promise.resolve({ nc });
  }

  /** To the n-th message that was sent. */
  answer(n: number, text: string): void {
    this.#answer(null, { subject: this.sent[n]!.reply, data: Buffer.from(text) });
  }

  store(n: number): void {
    this.answer(n, '{"stream":"S","seq":1}');
  }
}

let wire: Wire;
let outbox: Outbox;
let stored: number[];
let refusals: string[];

beforeEach(async () => {
  wire = new Wire();
  stored = [];
  refusals = [];
  outbox = new Outbox(wire, {
    bytesInFlightMax: 100,
    resendMs: 60_000,
    refusedMs: 60_000,
    headersOf: () => undefined,
    onRefused: (reason) => refusals.push(reason),
  });
  await wire.connected();
});
afterEach(() => outbox.close());

function send(count: number, bytes: number, group = 'g'): void {
  for (let i = 0; i < count; i++)
    outbox.send({ subject: 's', id: `${i}`, bytes: new Uint8Array(bytes), group }, () => stored.push(i));
}

describe('an outbox', () => {
  it('sends no more than its bound before it is acknowledged, and the rest thereafter', () => {
    send(10, 40);
    assert.deepEqual([wire.sent.length, outbox.waitingBytes], [3, 400]);
    wire.store(1);
    assert.deepEqual([wire.sent.length, outbox.waitingBytes, stored], [4, 360, [1]]);
  });

  it('sends nothing while the connection is down, and what was not acknowledged again after it', () => {
    send(1, 10);
    wire.become('waiting');
    send(2, 10);
    assert.equal(wire.sent.length, 1);
    wire.become('ready');
    assert.deepEqual([wire.sent.length, wire.sent[1]!.reply], [4, wire.sent[0]!.reply]);
  });

  it('counts a message as stored once, however often it is acknowledged', () => {
    send(1, 10);
    wire.store(0);
    wire.store(0);
    assert.deepEqual([stored, outbox.waitingBytes], [[0], 0]);
  });

  it('keeps a message that is refused, and says why once', () => {
    send(2, 10);
    for (const n of [0, 1]) wire.answer(n, '{"error":{"code":503,"description":"insufficient resources"},"stream":""}');
    assert.deepEqual([refusals, outbox.refusal], [['insufficient resources'], 'insufficient resources']);
    assert.deepEqual([stored, outbox.waitingBytes], [[], 20]);
    wire.store(0);
    assert.deepEqual([stored, outbox.refusal], [[0], '']);
  });

  it('drops what of a group it has not sent, and waits for what it has', async () => {
    send(5, 60, 'gone');
    send(1, 60, 'kept');
    let dropped = false;
    const dropping = outbox.drop('gone').then(() => {
      dropped = true;
    });
    assert.deepEqual([wire.sent.length, outbox.waitingOf('gone'), outbox.waitingBytes], [2, 2, 180]);
    wire.store(0);
    await Promise.resolve();
    assert.equal(dropped, false);
    wire.store(1);
    await dropping;
    assert.deepEqual([wire.sent.length, outbox.waitingOf('gone'), outbox.waitingOf('kept')], [3, 0, 1]);
  });
});
