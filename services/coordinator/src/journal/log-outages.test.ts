import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startNats } from '@regatta/broker/testing';
import { limits } from './limits.ts';
import type { JournalRecord } from './log.ts';
import { all, logSite, text, texts, upTo } from './testing/log-site.ts';

const { leading } = logSite();

describe('while NATS is away', () => {
  it('appends wait, and nothing is lost or doubled when it was killed in their midst', async () => {
    const own = await startNats();
    const log = await leading({}, own);
    const count = 20_000;
    const appended: Promise<number>[] = [];
    for (let i = 0; i < count; i++) {
      appended.push(log.append('events', text(i)));
      if (i % 5_000 === 2_500) await own.kill();
      if (i % 5_000 === 4_000) await own.restart();
      if (i % 500 === 0) await delay(1);
    }
    const backAt = performance.now();
    const sequences = await Promise.all(appended);
    assert.ok(performance.now() - backAt < limits.ackMs, 'what was lost was waited for');
    assert.deepEqual(
      sequences,
      Array.from({ length: count }, (_, i) => sequences[0]! + i),
    );
    assert.deepEqual(texts(await all(log)), upTo(count));
    await own[Symbol.asyncDispose]();
  });

  it('for longer than it knows again what is sent twice, nothing is doubled either', async () => {
    const own = await startNats();
    const log = await leading({ duplicateWindowMs: 100 }, own);
    const appended = Array.from({ length: 2_000 }, (_, i) => log.append('events', text(i)));
    // Some of it is stored by now, and the word of it on its way.
    await appended[100];
    await own.kill();
    await delay(300);
    await own.restart();
    await Promise.all(appended);
    assert.deepEqual(texts(await all(log)), upTo(2_000));
    await own[Symbol.asyncDispose]();
  });

  it('it is told why', async () => {
    const own = await startNats();
    const log = await leading({}, own);
    assert.equal(log.waiting, undefined);
    await own.kill();
    const appended = log.append('events', text(0));
    while (log.waiting === undefined) await delay(5);
    assert.match(log.waiting, /^(lost NATS at|no NATS server)/);
    await own.restart();
    await appended;
    assert.equal(log.waiting, undefined);
    await own[Symbol.asyncDispose]();
  });

  it('because it is paused, appends wait and are stored once', async () => {
    const own = await startNats();
    const log = await leading({}, own);
    const appended = Array.from({ length: 500 }, (_, i) => log.append('events', text(i)));
    await appended[10];
    own.pause();
    for (let i = 500; i < 1_000; i++) appended.push(log.append('events', text(i)));
    // So long that all of it is sent again.
    await delay(limits.ackMs + 2_000);
    own.resume();
    await Promise.all(appended);
    assert.deepEqual(texts(await all(log)), upTo(1_000));
    await own[Symbol.asyncDispose]();
  });

  it('from the beginning, opening waits for it', async () => {
    const own = await startNats();
    await own.stop();
    const opened = leading({}, own);
    await delay(100);
    await own.restart();
    const log = await opened;
    await log.append('events', text(0));
    assert.deepEqual(texts(await all(log)), upTo(1));
    await own[Symbol.asyncDispose]();
  });

  it('a reader goes on where it was', async () => {
    const own = await startNats();
    const log = await leading({}, own);
    for (let i = 0; i < 5_000; i++) void log.append('events', text(i));
    await log.append('events', text(5_000));
    const read: JournalRecord[] = [];
    for await (const record of log.read({ kind: 'events' })) {
      read.push(record);
      if (read.length === 1_500) {
        await own.kill();
        await own.restart();
      }
    }
    assert.deepEqual(texts(read), upTo(5_001));
    await own[Symbol.asyncDispose]();
  });
});
