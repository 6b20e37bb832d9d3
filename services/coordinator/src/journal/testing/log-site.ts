/** Journals on a real NATS server, one server for a test file, and for each test a journal of its own. */
import { after, afterEach, before, beforeEach } from 'node:test';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { JournalLog, type JournalOptions, type JournalRecord } from '../log.ts';
import { journalNames } from '../names.ts';

/** To be called once in a test file, at its top: it starts what the tests need, and ends it. */
export function logSite() {
  let server: NatsServer;
  let serial = 0;
  let namePrefix: string;
  const brokers: Broker[] = [];
  const logs: JournalLog[] = [];

  const newJournal = (): void => {
    namePrefix = `T${++serial}`;
  };
  before(async () => {
    server = await startNats();
  });
  after(() => server?.[Symbol.asyncDispose]());
  beforeEach(newJournal);
  afterEach(async () => {
    for (const log of logs.splice(0)) log.close();
    await Promise.all(brokers.splice(0).map((broker) => broker.close()));
  });

  const brokerOf = (at: NatsServer): Broker => {
    const broker = new Broker({ servers: [at.url], name: 'log.test' });
    brokers.push(broker);
    return broker;
  };

  /** The journal as another process sees it: over a connection of its own. */
  const journal = async (options: JournalOptions = {}, at = server): Promise<JournalLog> => {
    const log = await JournalLog.open(brokerOf(at), { namePrefix, bytesMax: 100_000_000, ...options });
    logs.push(log);
    return log;
  };

  return {
    /** From here on it is another journal, also within a test. */
    newJournal,
    /** Of the stream and its subjects. */
    names: () => journalNames(namePrefix),
    /** To NATS itself, for who goes around the journal. */
    connected: () => brokerOf(server).connected(),
    journal,
    /** The same, and it writes. */
    leading: async (options: JournalOptions = {}, at = server): Promise<JournalLog> => {
      const log = await journal(options, at);
      await log.takeOver();
      return log;
    },
  };
}

/** What is in it, but for the terms. */
export async function all(log: JournalLog, what: Parameters<JournalLog['read']>[0] = {}): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of log.read(what)) if (record.kind !== 'term') records.push(record);
  return records;
}

export const text = (number: number): Uint8Array => Buffer.from(`record ${number}`);

export const texts = (records: readonly JournalRecord[]): string[] =>
  records.map(({ body }) => Buffer.from(body).toString());

export const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

/** Bytes that tell where in the body they are. */
export function marked(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) * 31 + seed) & 0xff;
  return bytes;
}
