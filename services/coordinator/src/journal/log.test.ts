import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startNats } from '@regatta/broker/testing';
import type { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';
import { all, logSite, marked, text, texts, upTo } from './testing/log-site.ts';

const { connected, journal, leading, names } = logSite();

describe('appends', () => {
  it('are stored in the order in which they were made, without waiting for each other', async () => {
    const log = await leading();
    const sequences = await Promise.all(Array.from({ length: 5_000 }, (_, i) => log.append('events', text(i))));
    assert.deepEqual(
      sequences,
      Array.from({ length: 5_000 }, (_, i) => sequences[0]! + i),
    );
    const records = await all(log);
    assert.deepEqual(texts(records), upTo(5_000));
    assert.deepEqual([records[0]!.kind, records[0]!.sequence, log.pendingBytes], ['events', sequences[0], 0]);
    assert.ok(Math.abs(records[0]!.timeMs - Date.now()) < 60_000);
  });

  it('tell how many bytes wait, and when few do', async () => {
    const log = await leading();
    const body = marked(1_000_000);
    const appended = Array.from({ length: 40 }, () => log.append('events', body));
    assert.equal(log.pendingBytes, 40_000_000);
    await log.drained();
    assert.ok(log.pendingBytes <= limits.pendingBytesLow && log.pendingBytes > 0);
    await Promise.all(appended);
    assert.equal(log.pendingBytes, 0);
  });

  it('are refused in one line while too many bytes wait', async () => {
    const own = await startNats();
    const log = await leading({ bytesMax: 400_000_000 }, own);
    own.pause();
    const body = marked(32_000_000);
    const appended = Array.from({ length: 8 }, () => log.append('events', body));
    await assert.rejects(log.append('events', body), { code: 'JOURNAL_BEHIND', message: /^268435456 bytes wait/ });
    own.resume();
    await Promise.all(appended);
    await own[Symbol.asyncDispose]();
  });

  it('of a kind that is no subject are bugs', async () => {
    const log = await leading();
    for (const kind of ['', 'a b', 'a..b', 'a.*', 'a.>', '.a', 'term', 'x'.repeat(limits.kindCharactersMax + 1)]) {
      assert.throws(() => log.append(kind, text(1)), { name: 'InvariantError' });
    }
  });
});

describe('a body larger than a message', () => {
  it('is read as it was written, between others, and counts as one record', async () => {
    const log = await leading();
    const large = marked(3_500_000);
    const exact = marked(limits.partBytesMax, 5);
    const [first, second] = [log.append('events', text(0)), log.append('results.run-a', large)];
    const others = [log.append('results.run-b', exact), log.append('events', new Uint8Array(0))];
    assert.equal(await second, (await first) + 4);
    await Promise.all(others);
    const records = await all(log);
    assert.deepEqual(
      records.map(({ kind, body }) => [kind, body.byteLength]),
      [
        ['events', 8],
        ['results.run-a', 3_500_000],
        ['results.run-b', limits.partBytesMax],
        ['events', 0],
      ],
    );
    assert.ok(Buffer.from(large).equals(records[1]!.body) && Buffer.from(exact).equals(records[2]!.body));
  });

  it('fits whatever NATS takes', async () => {
    const own = await startNats({ config: 'max_payload: 40000' });
    const log = await leading({}, own);
    const body = marked(200_000);
    await log.append('events', body);
    const [record] = await all(log);
    assert.ok(Buffer.from(body).equals(record!.body));
    await own[Symbol.asyncDispose]();
  });

  it('is found by its sequence, and stays whole where what is before that is purged', async () => {
    const log = await leading();
    await log.append('events', text(0));
    const sequence = await log.append('events', marked(3_000_000));
    await log.append('events', text(1));
    assert.deepEqual(
      (await all(log, { from: sequence })).map(({ body }) => body.byteLength),
      [3_000_000, 8],
    );
    assert.equal((await all(log, { from: sequence + 1 })).length, 1);
    assert.equal(await log.purge({ kind: 'events', before: sequence }), 1);
    assert.deepEqual(
      (await all(log)).map(({ body }) => body.byteLength),
      [3_000_000, 8],
    );
  });

  it('of which a writer that was cut off wrote a part only is not read', async () => {
    const first = await leading();
    await first.append('events', text(0));
    const { jsm, nc } = await connected();
    const large = first.append('events', marked(3_000_000));
    await large;
    // As if the writer had ended before the last part.
    const { lastSequence } = await first.info();
    await jsm.streams.deleteMessage(names().stream, lastSequence);
    await nc.flush();
    const second = await leading();
    await second.append('events', text(1));
    assert.deepEqual(texts(await all(second)), upTo(2));
  });
});

describe('reading', () => {
  it('gives the kinds that are asked for, and ends where the journal ended when it began', async () => {
    const log = await leading();
    for (const kind of ['events', 'results.a', 'results.b', 'results.a.x', 'events']) void log.append(kind, text(0));
    await log.append('snapshot', text(0));
    const kinds = async (kind: string): Promise<string[]> => (await all(log, { kind })).map((record) => record.kind);
    assert.deepEqual(await kinds('events'), ['events', 'events']);
    assert.deepEqual(await kinds('results.*'), ['results.a', 'results.b']);
    assert.deepEqual(await kinds('results.>'), ['results.a', 'results.b', 'results.a.x']);
    assert.deepEqual(await kinds('nothing'), []);
    // More than is asked for at once.
    await Promise.all(Array.from({ length: 3_000 }, () => log.append('more', text(0))));
    let read = 0;
    for await (const _ of log.read({ kind: 'more' })) {
      if (++read <= 10) await log.append('more', text(0));
    }
    assert.equal(read, 3_000);
  });

  it('of an empty journal ends at once', async () => {
    assert.deepEqual(await all(await journal()), []);
  });

  it('may be left early', async () => {
    const log = await leading();
    for (let i = 0; i < 3_000; i++) void log.append('events', text(i));
    await log.append('events', text(3_000));
    for await (const record of log.read({ kind: 'events' })) {
      assert.equal(Buffer.from(record.body).toString(), 'record 0');
      break;
    }
    const { jsm } = await connected();
    let left = 1;
    for (const giveUpAt = performance.now() + 5_000; left > 0 && performance.now() < giveUpAt; ) {
      left = (await jsm.streams.info(names().stream)).state.consumer_count;
    }
    assert.equal(left, 0, 'its consumer stayed');
  });
});

describe('a stream', () => {
  it('of that name that somebody made otherwise is refused in one line', async () => {
    const { jsm } = await connected();
    await jsm.streams.add({ name: names().stream, subjects: ['something.else'] });
    await assert.rejects(journal(), {
      code: 'STREAM_DIFFERS',
      message: new RegExp(`^the NATS stream ${names().stream} has`),
    });
  });

  it('that is removed ends the writer in one line, after more than one look', async () => {
    const told: RegattaError[] = [];
    const log = await leading({ onFenced: (error) => told.push(error) });
    const { jsm } = await connected();
    await jsm.streams.delete(names().stream);
    await assert.rejects(log.append('events', text(0)), {
      code: 'JOURNAL_LOST',
      message: /is gone, and with it the journal/,
    });
    assert.equal(told.length, 1);
  });

  it('that comes back shorter than what was acknowledged ends the writer', async () => {
    const told: RegattaError[] = [];
    const log = await leading({ onFenced: (error) => told.push(error) });
    for (let i = 0; i < 10; i++) await log.append('events', text(i));
    const { jsm } = await connected();
    const { config } = await jsm.streams.info(names().stream);
    await jsm.streams.delete(config.name);
    await jsm.streams.add(config);
    await assert.rejects(log.append('events', text(0)), {
      code: 'JOURNAL_LOST',
      message: `NATS lost records 1 to 11 of the stream ${names().stream} after acknowledging them; see sync_interval of NATS`,
    });
    assert.equal(told[0]!.code, 'JOURNAL_LOST');
  });
});

it('closing refuses what waits, and nothing rejects that nobody waits for', async () => {
  const own = await startNats();
  const log = await leading({}, own);
  await own.kill();
  const appended = log.append('events', text(0));
  void log.append('events', text(1));
  log.close();
  await assert.rejects(appended, { code: 'JOURNAL_CLOSED' });
  await own[Symbol.asyncDispose]();
});
