/**
 * Reads messages of the stream in order, each once, up to a sequence: through outages, and as fast as they come.
 *
 * The consumer in NATS is a throwaway: it numbers what it delivers, and at the first gap or silence we make another one
 * from where we are. So nothing depends on whether it outlives a restart of NATS.
 */
import { AckPolicy, type ConsumerInfo, createInbox, DeliverPolicy, type Msg, nanos, type Subscription } from 'nats';
import { limits } from './limits.ts';
import { ID_HEADER } from './record.ts';
import type { Stream } from './stream.ts';

export interface Delivered {
  readonly sequence: number;
  readonly subject: string;
  readonly id: string;
  readonly body: Uint8Array;
  readonly timeMs: number;
}

export interface Span {
  /** A subject, may have `*` and `>`. */
  readonly filter: string;
  readonly from: number;
  /** The last one. */
  readonly to: number;
  /** Without bodies. */
  readonly headersOnly?: boolean;
}

/** @throws RegattaError JOURNAL_LOST, BROKER_CLOSED */
export async function* deliveries(stream: Stream, span: Span): AsyncGenerator<Delivered> {
  let from = Math.max(1, span.from);
  while (from <= span.to) {
    const consumer = await stream.ask(() => addConsumer(stream, { ...span, from }));
    if (consumer.num_pending === 0) return;
    const session = new Session(stream, consumer.name);
    try {
      for (let batch = await session.next(); batch !== undefined; batch = await session.next()) {
        for (const { delivered, pending } of batch) {
          if (delivered.sequence > span.to) return;
          from = delivered.sequence + 1;
          yield delivered;
          if (pending === 0) return;
        }
      }
    } finally {
      session.close();
    }
  }
}

function addConsumer(stream: Stream, { filter, from, headersOnly = false }: Span): Promise<ConsumerInfo> {
  return stream.jsm.consumers.add(stream.name, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    filter_subject: filter,
    headers_only: headersOnly,
    inactive_threshold: nanos(limits.readerForgottenMs),
    mem_storage: true,
    num_replicas: 1,
  });
}

interface Numbered {
  readonly delivered: Delivered;
  /** Messages that match and are not delivered yet. */
  readonly pending: number;
}

/** One consumer's deliveries: two requests ahead, without gaps. */
class Session {
  readonly #stream: Stream;
  readonly #consumer: string;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #stopWatching: () => void;
  #queue: Numbered[] = [];
  #wake: (() => void) | undefined;
  #count = 0;
  #asked = 0;
  #batch = limits.readMessagesFirst as number;
  #broken = false;

  constructor(stream: Stream, consumer: string) {
    this.#stream = stream;
    this.#consumer = consumer;
    this.#subscription = stream.nc.subscribe(this.#inbox, { callback: (error, msg) => this.#on(error, msg) });
    this.#stopWatching = stream.broker.onState(({ kind }) => {
      if (kind !== 'ready') this.#break();
    });
    this.#pull();
    this.#pull();
  }

  /** What came since; waits for at least one. @returns nothing where this consumer delivers no more */
  async next(): Promise<readonly Numbered[] | undefined> {
    if (this.#queue.length === 0 && !this.#broken) await this.#news();
    if (this.#queue.length === 0) return undefined;
    const batch = this.#queue;
    this.#queue = [];
    if (!this.#broken && this.#asked <= this.#batch) {
      const bytes = batch.reduce((sum, { delivered }) => sum + delivered.body.byteLength, 0) / batch.length;
      const fit = Math.floor(limits.readBytes / Math.max(1, bytes));
      this.#batch = Math.min(limits.readMessagesMax, Math.max(limits.readMessagesMin, fit));
      this.#pull();
    }
    return batch;
  }

  close(): void {
    this.#broken = true;
    this.#stopWatching();
    this.#subscription.unsubscribe();
    if (this.#stream.broker.state.kind !== 'ready') return;
    // Else NATS forgets it by itself.
    this.#stream.jsm.consumers.delete(this.#stream.name, this.#consumer).catch(() => {});
  }

  #pull(): void {
    this.#asked += this.#batch;
    const request = JSON.stringify({ batch: this.#batch, expires: nanos(limits.readerForgottenMs) });
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream.name}.${this.#consumer}`;
    try {
      this.#stream.nc.publish(subject, request, { reply: this.#inbox });
    } catch {
      this.#break();
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#break(), limits.readSilenceMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #break(): void {
    this.#broken = true;
    this.#wake?.();
  }

  #on(error: Error | null, msg: Msg): void {
    if (this.#broken) return;
    const numbers = error === null ? numbersOf(msg.reply ?? '') : undefined;
    // What has no numbers is a word about the request: that it expired, or that the consumer is gone.
    if (numbers === undefined || numbers.count !== this.#count + 1) return this.#break();
    this.#count++;
    this.#asked--;
    const { sequence, timeMs, pending } = numbers;
    const id = msg.headers?.get(ID_HEADER) ?? '';
    this.#queue.push({ delivered: { sequence, subject: msg.subject, id, body: msg.data, timeMs }, pending });
    this.#wake?.();
  }
}

interface Numbers {
  readonly sequence: number;
  /** How many this consumer has delivered. */
  readonly count: number;
  readonly timeMs: number;
  readonly pending: number;
}

/** Of `$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.count.nanoseconds.pending[.token]`. */
function numbersOf(reply: string): Numbers | undefined {
  if (!reply.startsWith('$JS.ACK.')) return undefined;
  const tokens = reply.split('.');
  const at = tokens.length >= 11 ? 7 : 5;
  const [sequence, count, nanoseconds, pending] = tokens.slice(at, at + 4).map(Number);
  if (pending === undefined) return undefined;
  return { sequence: sequence!, count: count!, timeMs: nanoseconds! / 1e6, pending };
}
