/**
 * The journal: all that a coordinator must not forget, in one JetStream stream, in the order in which it happened. It owns
 * the stream, who may write to it and that nothing in it is lost, doubled, halved or out of order; not what records mean.
 *
 * - J1: an append resolves once JetStream has acknowledged it, and appends are stored in the order in which they were made.
 * - J2: there is one writer: who took over last. Whoever wrote before is refused from the new term's record on.
 * - J3: a record is read whole or not at all.
 * - J4: what is not the journal's on its subjects is passed over and told, in writing and in reading.
 *
 * What an acknowledgement promises. With one replica, NATS has written the message to its file, which means into the
 * operating system's page cache: it outlives the end of nats-server, also by SIGKILL, but not a loss of power or a crash of
 * the machine, because NATS tells the disk to keep what it has (fsync) only every `sync_interval`, two minutes by
 * default. `sync_interval: always`, where a NATS has it (from 2.10), does so before each acknowledgement, and is far
 * slower; on an older one a short interval makes the loss small, not none. With three replicas, NATS
 * acknowledges once a quorum, two of three servers, has written it, each into its own page cache: so it outlives one
 * machine and its disk, but not two of them losing power within the interval. A journal that comes back shorter
 * than what was acknowledged is noticed by its writer (JOURNAL_LOST), who then leads no more.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Broker, ensureStream, type StreamNeeds } from '@regatta/broker';
import { assert, RegattaError } from '@regatta/kernel';
import { DiscardPolicy, headers, type NatsError, nanos, RetentionPolicy, StorageType } from 'nats';
import { API, answerOf, apiNumber } from './asking.ts';
import { limits } from './limits.ts';
import { journalNames } from './names.ts';
import { deliveries } from './reader.ts';
import { Assembler, EXPECTED_SEQUENCE_HEADER, ID_HEADER, isFilter, markOf, TERM_KIND, takeId } from './record.ts';
import { isFull } from './reply.ts';
import { type JournalInfo, Stream } from './stream.ts';
import { Writer } from './writer.ts';

export type { JournalInfo } from './stream.ts';

export interface JournalOptions {
  /** As `journalNames`. */
  readonly namePrefix?: string;
  /** Copies on different servers of a NATS cluster: 1, 3 or 5. */
  readonly replicas?: number;
  readonly bytesMax?: number;
  readonly duplicateWindowMs?: number;
  /** Called once for each term that ends other than by `close`: FENCED or JOURNAL_LOST. Appends reject with the same. */
  readonly onFenced?: (error: RegattaError) => void;
  /** One line for each message that is not ours. */
  readonly onPoison?: (line: string) => void;
}

export interface JournalRecord {
  /** Of its last part: what the append resolved with. */
  readonly sequence: number;
  readonly kind: string;
  readonly body: Uint8Array;
  /** When NATS stored it, by its clock, since the epoch. */
  readonly timeMs: number;
}

const lacksRoom = (thrown: unknown): boolean =>
  thrown instanceof RegattaError && thrown.code === 'STREAM_REFUSED' && /insufficient storage/.test(thrown.message);

/** The stream that it needs, whatever its size and however many copies there are of it. */
export const journalStream = (
  { stream: name, subjects } = journalNames(),
  duplicateWindowMs: number = limits.duplicateWindowMs,
): StreamNeeds => ({
  name,
  subjects: [`${subjects}.>`],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  // Full is full: what was written before is not dropped for it.
  discard: DiscardPolicy.New,
  max_age: 0,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  duplicate_window: nanos(duplicateWindowMs),
});

export class JournalLog {
  readonly #stream: Stream;
  readonly #options: JournalOptions;
  #writer: Writer | undefined;
  #poisoned = 0;
  readonly #told = new Set<number>();

  private constructor(stream: Stream, options: JournalOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /**
   * Waits for NATS for as long as it takes; `broker.state` says why.
   * @throws RegattaError STREAM_DIFFERS, STREAM_REFUSED, BROKER_CLOSED
   */
  static async open(broker: Broker, options: JournalOptions = {}): Promise<JournalLog> {
    const connected = await broker.connected();
    const { replicas = 1, bytesMax = limits.streamBytesMax } = options;
    const names = journalNames(options.namePrefix);
    const stream = new Stream(broker, connected, names.stream, names.subjects);
    const needs = { ...journalStream(names, options.duplicateWindowMs), num_replicas: replicas };
    for (let bytes = bytesMax; ; bytes /= 2) {
      try {
        await answerOf(broker, () => ensureStream(connected.jsm, { ...needs, max_bytes: bytes }));
        return new JournalLog(stream, options);
      } catch (thrown) {
        // NATS sets all of it aside, and a small disk has less.
        if (!lacksRoom(thrown) || bytes / 2 < limits.streamBytesMin) throw thrown;
      }
    }
  }

  /** Appended and not acknowledged yet. */
  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  /** Why nothing is being written just now, in one line. */
  get waiting(): string | undefined {
    return this.#writer?.complaint;
  }

  /** Messages that were not ours. */
  get poisoned(): number {
    return this.#poisoned;
  }

  /**
   * Makes this process the only writer, until another takes over; also anew after it was fenced.
   * @returns the term: the sequence of its record. All before it is what there is to read
   * @throws RegattaError JOURNAL_FULL, JOURNAL_LOST, BROKER_CLOSED
   */
  async takeOver(): Promise<number> {
    this.#writer?.close(new RegattaError('FENCED', 'the journal was taken over anew by this coordinator'));
    const term = await this.#writeTerm();
    this.#writer = new Writer(this.#stream, term, {
      onEnded: (error) => this.#options.onFenced?.(error),
      onPoison: (line, sequence) => this.#poison(line, sequence),
    });
    return term;
  }

  /**
   * @param kind one or more tokens of letters, digits, `-` and `_`, with dots between: `events`, `results.run-abc`
   * @param body must not change any more
   * @returns its sequence, once it is stored (J1). An outage is waited for; who must not pile up waits for `drained`
   * @throws RegattaError FENCED (J2), JOURNAL_LOST; JOURNAL_FULL, JOURNAL_BEHIND: this one and what was appended behind
   *   it is not written, later appends may be. Who does not look at the result need not catch it
   */
  append(kind: string, body: Uint8Array): Promise<number> {
    assert(this.#writer !== undefined, 'appended before takeOver');
    return this.#writer.append(kind, body);
  }

  /** Resolves when little waits to be acknowledged, or nothing ever will be. */
  drained(): Promise<void> {
    return this.#writer?.drained() ?? Promise.resolve();
  }

  /**
   * Records in order, up to the last one at the time of the call; through outages.
   * @param kind may have `*` for a token and `>` for the rest; all kinds without it
   * @param from the first sequence, by default the first of all
   * @throws RegattaError JOURNAL_LOST, BROKER_CLOSED
   */
  async *read({ kind = '>', from = 1 }: { kind?: string; from?: number } = {}): AsyncGenerator<JournalRecord> {
    const to = (await this.#stream.info()).lastSequence;
    const span = { filter: this.#filter(kind), from: from <= 1 ? 1 : await this.#beginOf(from), to };
    const assembler = new Assembler();
    for await (const { sequence, subject, id, body: bytes, timeMs } of deliveries(this.#stream, span)) {
      const mark = markOf(id);
      if (mark === undefined) {
        this.#poison(this.#stream.poisonLine(sequence, subject), sequence);
        continue;
      }
      const body = assembler.add(mark, bytes);
      if (body !== undefined) yield { sequence, kind: this.#stream.kindOf(subject), body, timeMs };
    }
  }

  /**
   * Removes records of a kind, all or those with a lower sequence than `before`. NATS cannot fence it: remove only what
   * no successor has a use for either.
   * @returns how many messages
   * @throws RegattaError FENCED where this process knows that it writes no more; JOURNAL_LOST, BROKER_CLOSED
   */
  async purge({ kind, before }: { kind: string; before?: number }): Promise<number> {
    this.#mustLead();
    const seq = before === undefined ? {} : { seq: await this.#beginOf(before) };
    const purge = { filter: this.#filter(kind), ...seq };
    const { purged } = await this.#stream.ask(() => this.#stream.jsm.streams.purge(this.#stream.name, purge));
    return purged;
  }

  /**
   * Removes records of a kind that a former writer wrote behind `sequence`; those of this term stay.
   * @returns how many messages
   * @throws as `purge`
   */
  async deleteAfter(sequence: number, kind: string): Promise<number> {
    const { term } = this.#mustLead();
    const span = { filter: this.#filter(kind), from: sequence + 1, to: term - 1, headersOnly: true };
    const underWay = new Set<Promise<void>>();
    let count = 0;
    for await (const found of deliveries(this.#stream, span)) {
      const deletion = this.#delete(found.sequence).finally(() => underWay.delete(deletion));
      deletion.catch(() => {});
      underWay.add(deletion);
      count++;
      if (underWay.size >= limits.deletionsMax) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    return count;
  }

  info(): Promise<JournalInfo> {
    return this.#stream.info();
  }

  /** Gives up what is not acknowledged. The connection is its owner's. */
  close(): void {
    this.#writer?.close(new RegattaError('JOURNAL_CLOSED', 'the journal was closed before all of it was acknowledged'));
  }

  /** A term begins behind what is last. Whoever else takes over at the same time, the later one has it. */
  async #writeTerm(): Promise<number> {
    const id = takeId(randomUUID());
    for (let tries = 1, roomy = false; ; tries++) {
      // Behind a writer that goes on and on nobody finds the end; whatever he has written by then, he is fenced by it.
      const last = tries <= limits.takeOverTriesMax ? (await this.#stream.info()).lastSequence : undefined;
      try {
        return await this.#stream.ask(() => this.#publishTerm(id, last));
      } catch (error) {
        if (apiNumber(error) === API.wrongLastSequence) continue;
        if (roomy || (error as RegattaError).code !== 'JOURNAL_FULL') throw error;
        roomy = true;
        await this.#makeRoom();
      }
    }
  }

  async #publishTerm(id: string, last: number | undefined): Promise<number> {
    const { jsm } = this.#stream;
    const marks = headers();
    marks.set(ID_HEADER, id);
    if (last !== undefined) marks.set(EXPECTED_SEQUENCE_HEADER, `${last}`);
    const body = JSON.stringify({ pid: process.pid, host: hostname() });
    try {
      return (
        await jsm
          .jetstream()
          .publish(this.#stream.subjectOf(TERM_KIND), body, { headers: marks, timeout: limits.ackMs })
      ).seq;
    } catch (error) {
      const { err_code: number, description: why = '' } = (error as NatsError).api_error ?? {};
      if (!isFull(number, why)) throw error;
      const line = `the journal is full (${why}): give the NATS stream ${this.#stream.name} more room`;
      throw new RegattaError('JOURNAL_FULL', line);
    }
  }

  /** Only who has taken over may forget what fills the journal. */
  async #makeRoom(): Promise<void> {
    const { jsm, name } = this.#stream;
    const { config } = await this.#stream.ask(() => jsm.streams.info(name));
    const more = { max_bytes: config.max_bytes + limits.takeOverBytes };
    await this.#stream.ask(() => jsm.streams.update(name, more)).catch(() => {});
  }

  async #delete(sequence: number): Promise<void> {
    const { jsm, name } = this.#stream;
    try {
      // Overwritten in its file: what NATS only notes as deleted comes back when it is killed before it has noted that.
      await this.#stream.ask(() => jsm.streams.deleteMessage(name, sequence, true));
    } catch (error) {
      // Sent twice over an outage, say.
      if (apiNumber(error) !== API.sequenceNotFound && apiNumber(error) !== API.noMessage) throw error;
    }
  }

  /** The first part of the record that has a part at `sequence`; `sequence` where none has. J3. */
  async #beginOf(sequence: number): Promise<number> {
    const found = await this.#stream.messageFrom(sequence);
    if (found?.sequence !== sequence || found.mark?.kind !== 'part') return sequence;
    const { term, record, part } = found.mark;
    // Parts lie close together, but where something that is not ours came between.
    for (let at = sequence - part; part > 0 && at > 0; at--) {
      const before = await this.#stream.messageFrom(at);
      const { mark } = before ?? {};
      if (before?.sequence !== at) return sequence;
      if (mark === undefined) continue;
      if (mark.kind !== 'part' || mark.term !== term || mark.record !== record) return sequence;
      if (mark.part === 0) return at;
    }
    return sequence;
  }

  #mustLead(): Writer {
    const writer = this.#writer;
    assert(writer !== undefined, 'changed the journal before takeOver');
    if (writer.ended !== undefined) throw writer.ended;
    return writer;
  }

  #filter(kind: string): string {
    assert(isFilter(kind), `no kind of record: ${kind}`);
    return this.#stream.subjectOf(kind);
  }

  #poison(line: string, sequence: number): void {
    if (this.#told.has(sequence)) return;
    if (this.#told.size < limits.poisonedToldMax) this.#told.add(sequence);
    this.#poisoned++;
    this.#options.onPoison?.(line);
  }
}
