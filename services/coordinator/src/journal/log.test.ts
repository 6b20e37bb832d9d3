import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import type { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';
import { JournalLog, type JournalOptions, type JournalRecord } from './log.ts';

let server: NatsServer;
let serial = 0;
let prefix: string;
const brokers: Broker[] = [];
const logs: JournalLog[] = [];

before(async () => {
  server = await startNats();
});
after(() => server?.[Symbol.asyncDispose]());
beforeEach(() => {
  prefix = `T${++serial}`;
});
afterEach(async () => {
  for (const log of logs.splice(0)) log.close();
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

function brokerOf(at: NatsServer = server): Broker {
  const broker = new Broker({ servers: [at.url], name: 'log.test' });
  brokers.push(broker);
  return broker;
}

/** A journal of another process, as it were: with a connection of its own. */
async function journal(options: JournalOptions = {}, at: NatsServer = server): Promise<JournalLog> {
  const log = await JournalLog.open(brokerOf(at), { namePrefix: prefix, bytesMax: 100_000_000, ...options });
  logs.push(log);
  return log;
}

async function leading(options: JournalOptions = {}, at: NatsServer = server): Promise<JournalLog> {
  const log = await journal(options, at);
  await log.takeOver();
  return log;
}

async function all(log: JournalLog, what: Parameters<JournalLog['read']>[0] = {}): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of log.read(what)) if (record.kind !== 'term') records.push(record);
  return records;
}

const text = (number: number): Uint8Array => Buffer.from(`record ${number}`);
const texts = (records: readonly JournalRecord[]): string[] => records.map(({ body }) => Buffer.from(body).toString());
const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

/** Bytes that tell where in the body they are. */
function marked(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) * 31 + seed) & 0xff;
  return bytes;
}

async function publishForeign(subject: string, body = 'not yours'): Promise<void> {
  const { js } = await brokerOf().connected();
  await js.publish(subject, body);
}

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
    const { jsm, nc } = await brokerOf().connected();
    const large = first.append('events', marked(3_000_000));
    await large;
    // As if the writer had ended before the last part.
    const { lastSequence } = await first.info();
    await jsm.streams.deleteMessage(`${prefix}_JOURNAL`, lastSequence);
    await nc.flush();
    const second = await leading();
    await second.append('events', text(1));
    assert.deepEqual(texts(await all(second)), upTo(2));
  });
});

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

describe('a second writer', () => {
  it('fences the first one with all that it has in flight: nothing of it is behind the new term', async () => {
    for (let round = 0; round < 5; round++) {
      prefix = `T${++serial}`;
      const told: RegattaError[] = [];
      const first = await leading({ onFenced: (error) => told.push(error) });
      const second = await journal();
      const outcomes: Promise<number | string>[] = [];
      const write = (): void => {
        for (let i = 0; i < 50; i++) {
          const appended = first.append('events', text(outcomes.length));
          outcomes.push(appended.catch((error: RegattaError) => error.code));
        }
      };
      const writing = setInterval(write, 1);
      write();
      await delay(20);
      const term = await second.takeOver();
      const own = await Promise.all(Array.from({ length: 100 }, (_, i) => second.append('events', text(i))));
      await outcomes.at(-1);
      clearInterval(writing);
      const ends = await Promise.all(outcomes);
      const stored = ends.filter((end) => typeof end === 'number');
      assert.ok(stored.length > 0 && stored.every((sequence) => sequence < term), 'stored behind the new term');
      assert.ok(ends.slice(stored.length).every((end) => end === 'FENCED'));
      assert.deepEqual(
        own,
        Array.from({ length: 100 }, (_, i) => term + 1 + i),
      );
      const records = await all(second);
      assert.deepEqual(texts(records), [...upTo(stored.length), ...upTo(100)]);
      assert.deepEqual(
        told.map(({ code, message }) => [code, message]),
        [['FENCED', `another coordinator leads: the journal was taken over by the writer of record ${term}`]],
      );
      await assert.rejects(first.append('events', text(0)), { code: 'FENCED' });
    }
  });

  it('takes over though the first one never stops writing', async () => {
    const first = await leading();
    const second = await journal();
    let goesOn = true;
    const writing = (async () => {
      while (goesOn) {
        for (let i = 0; i < 20; i++) void first.append('events', text(i));
        await delay(0);
      }
    })();
    const term = await second.takeOver();
    goesOn = false;
    assert.equal(await second.append('events', text(0)), term + 1);
    await writing;
  });

  it('at the same time: the one whose term is later writes, the other is fenced', async () => {
    const logs = await Promise.all([journal(), journal(), journal()]);
    const terms = await Promise.all(logs.map((log) => log.takeOver()));
    const outcomes = await Promise.all(
      logs.map((log) => log.append('events', text(0)).then(String, ({ code }) => code)),
    );
    const last = terms.indexOf(Math.max(...terms));
    assert.deepEqual(
      outcomes.map((outcome) => outcome === 'FENCED'),
      [0, 1, 2].map((i) => i !== last),
    );
  });

  it('is fenced in turn when the first takes over anew', async () => {
    const [first, second] = [await leading(), await leading()];
    await assert.rejects(first.append('events', text(0)), { code: 'FENCED' });
    await second.append('events', text(0));
    await first.takeOver();
    await first.append('events', text(1));
    await assert.rejects(second.append('events', text(9)), { code: 'FENCED' });
    assert.deepEqual(texts(await all(first)), upTo(2));
  });

  it('that wrote while the first was away is met when that comes back', async () => {
    const own = await startNats();
    const first = await leading({}, own);
    await first.append('events', text(0));
    const second = await journal({}, own);
    await own.kill();
    const late = Array.from({ length: 100 }, () => first.append('events', Buffer.from('late')));
    const taken = second.takeOver();
    await own.restart();
    await taken;
    const before = (await all(second)).filter(({ body }) => Buffer.from(body).toString() === 'late').length;
    await second.append('events', text(1));
    const outcomes = await Promise.allSettled(late);
    // Who is back first is chance; that nothing of it is behind the term is not.
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, before);
    assert.equal(texts(await all(second)).at(-1), 'record 1');
    await own[Symbol.asyncDispose]();
  });

  it('that was fenced may not purge', async () => {
    const [first, second] = [await leading(), await leading()];
    await first.append('events', text(0)).catch(() => {});
    await assert.rejects(first.purge({ kind: 'events' }), { code: 'FENCED' });
    await second.purge({ kind: 'events' });
  });
});

describe('a message on our subjects that is not ours', () => {
  it('is passed over by the reader, counted and told in one line, once', async () => {
    const lines: string[] = [];
    const log = await leading({ onPoison: (line) => lines.push(line) });
    await log.append('events', text(0));
    await publishForeign(`${prefix.toLowerCase()}.journal.events`);
    await log.append('events', text(1));
    assert.deepEqual(texts(await all(log)), upTo(2));
    assert.deepEqual(texts(await all(log)), upTo(2));
    assert.equal(log.poisoned, 1);
    const subjects = `${prefix.toLowerCase()}.journal`;
    assert.deepEqual(lines, [
      `message 3 on ${subjects}.events is not the journal's and is passed over: let nothing else publish to ${subjects}.>`,
    ]);
  });

  it('does not fence who leads, nor mix up what it has in flight', async () => {
    const lines: string[] = [];
    const log = await leading({ onPoison: (line) => lines.push(line) });
    const { nc } = await brokerOf().connected();
    const appended: Promise<number>[] = [];
    for (let i = 0; i < 3_000; i++) {
      appended.push(log.append('events', text(i)));
      if (i % 300 === 150) nc.publish(`${prefix.toLowerCase()}.journal.any`, 'not yours');
      if (i % 100 === 0) await delay(1);
    }
    await nc.flush();
    const large = marked(4_000_000);
    const last = log.append('events', large);
    nc.publish(`${prefix.toLowerCase()}.journal.events`, 'not yours');
    const sequence = await last;
    await Promise.all(appended);
    const records = await all(log, { kind: 'events' });
    assert.deepEqual(texts(records.slice(0, -1)), upTo(3_000));
    assert.ok(Buffer.from(large).equals(records.at(-1)!.body));
    assert.equal((await all(log, { from: sequence })).length, 1);
    assert.ok(log.poisoned >= 10, `${log.poisoned} told`);
  });
});

describe('a journal that is full', () => {
  it('refuses what does not fit and all behind it, in one line; takes more once there is room', async () => {
    const log = await leading({ bytesMax: 1_000_000 });
    const bodies = Array.from({ length: 20 }, () => log.append('events', marked(90_000)));
    const outcomes = await Promise.allSettled(bodies);
    const stored = outcomes.findIndex(({ status }) => status === 'rejected');
    assert.ok(stored > 5 && outcomes.slice(stored).every(({ status }) => status === 'rejected'));
    await assert.rejects(log.append('events', marked(90_000)), {
      code: 'JOURNAL_FULL',
      message: `the journal is full (maximum bytes exceeded): forget old runs, or give the NATS stream ${prefix}_JOURNAL more room`,
    });
    assert.equal((await all(log)).length, stored);
    assert.equal(await log.purge({ kind: 'events' }), stored);
    await log.append('events', text(0));
    assert.deepEqual(texts(await all(log)), upTo(1));
  });

  it('can be taken over all the same, for only who leads can make room', async () => {
    const first = await leading({ bytesMax: 100_000 });
    for (let size = 50_000; size > 0; size = Math.floor(size / 2)) {
      while (
        await first.append('events', marked(size)).then(
          () => true,
          () => false,
        )
      );
    }
    const second = await leading({ bytesMax: 100_000 });
    await second.purge({ kind: 'events' });
    await second.append('events', text(0));
    assert.deepEqual(texts(await all(second)), upTo(1));
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
    const { jsm } = await brokerOf().connected();
    let left = 1;
    for (const giveUpAt = performance.now() + 5_000; left > 0 && performance.now() < giveUpAt; ) {
      left = (await jsm.streams.info(`${prefix}_JOURNAL`)).state.consumer_count;
    }
    assert.equal(left, 0, 'its consumer stayed');
  });
});

describe('what a leader left behind', () => {
  it('is removed from a sequence on, by kind, up to the new term; appends go on behind it, also over a restart', async () => {
    const own = await startNats();
    const first = await leading({}, own);
    const sequences: number[] = [];
    for (let i = 0; i < 300; i++)
      sequences.push(await first.append(i % 2 ? 'results.run-a' : 'results.run-b', text(i)));
    const second = await leading({}, own);
    const mine = second.append('results.run-a', text(1_000));
    assert.equal(await second.deleteAfter(sequences[99]!, 'results.run-a'), 100);
    await mine;
    assert.equal((await all(second, { kind: 'results.run-a' })).length, 51);
    assert.equal((await all(second, { kind: 'results.run-b' })).length, 150);
    await own.kill();
    await own.restart();
    await second.append('results.run-a', text(1_001));
    assert.equal((await all(second, { kind: 'results.run-a' })).length, 52);
    await own[Symbol.asyncDispose]();
  });
});

describe('a stream', () => {
  it('of that name that somebody made otherwise is refused in one line', async () => {
    const { jsm } = await brokerOf().connected();
    await jsm.streams.add({ name: `${prefix}_JOURNAL`, subjects: ['something.else'] });
    await assert.rejects(journal(), {
      code: 'STREAM_DIFFERS',
      message: new RegExp(`^the NATS stream ${prefix}_JOURNAL has`),
    });
  });

  it('that is removed ends the writer in one line, after more than one look', async () => {
    const told: RegattaError[] = [];
    const log = await leading({ onFenced: (error) => told.push(error) });
    const { jsm } = await brokerOf().connected();
    await jsm.streams.delete(`${prefix}_JOURNAL`);
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
    const { jsm } = await brokerOf().connected();
    const { config } = await jsm.streams.info(`${prefix}_JOURNAL`);
    await jsm.streams.delete(config.name);
    await jsm.streams.add(config);
    await assert.rejects(log.append('events', text(0)), {
      code: 'JOURNAL_LOST',
      message: `NATS lost records 1 to 11 of the stream ${prefix}_JOURNAL after acknowledging them; see sync_interval of NATS`,
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
