/**
 * Messages out of a stream, by a pull consumer: as many as there is room for and no more, so that others who pull from it
 * get theirs. nats.js's own `consume()` asks for more as soon as messages arrive, however long they are then held.
 *
 * - N1: what was asked for and is not here yet is never more than there was room for when it was asked.
 * - N2: while there is room (for `atLeast`) and a connection, a request waits at the server. What may have lost it (an outage, another
 *   server, a consumer made anew) is answered by asking anew, on a new inbox: requests on the old one die with it.
 * - N3: requests are for many messages each, or they would cost as much as the messages.
 */
import { protoLimits } from '../limits.ts';
import { type Connection, type Line, type Message, newInbox, type Subscription } from './connection.ts';

const NANOS_PER_MS = 1_000_000;
const HEARTBEAT_MS = protoLimits.pullHeartbeatMs.value;
const EXPIRES_MS = protoLimits.pullExpiresMs.value;
const SILENCE_MS = protoLimits.pullSilenceMs.value;
const CLOSE_MS_MAX = protoLimits.pullCloseMsMax.value;
const RETRY_MS_MIN = protoLimits.pullRetryMsMin.value;
const RETRY_MS_MAX = protoLimits.pullRetryMsMax.value;

const ACK = Buffer.from('+ACK');
const TERM = Buffer.from('+TERM');
const WORKING = Buffer.from('+WPI');

const STATUS_HEARTBEAT = 100;
const STATUS_EXPIRED = 408;
const PENDING_HEADER = 'Nats-Pending-Messages';

/** One delivery of a message; `handle` is what it is answered by. */
export interface Taken {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly handle: string;
  /** 1 for the first time that the consumer gave it to anybody. */
  readonly deliveries: number;
  /** Its number in the stream. */
  readonly sequence: number;
  /** Unlike any other's, also where a stream that was lost counts anew: its number, and when it was stored. */
  readonly message: string;
}

interface IntakeOptions {
  readonly stream: string;
  readonly consumer: string;
  /** Messages that may come now, those included that were asked for. */
  readonly room: () => number;
  /** Fewer are not worth a request. */
  readonly atLeast: () => number;
  readonly onMessage: (taken: Taken) => void;
  /** The consumer is gone, or its stream: until somebody makes it anew nothing comes. */
  readonly onMissing: (reason: string) => void;
}

export class Intake {
  readonly #line: Line;
  readonly #options: IntakeOptions;
  readonly #watch: NodeJS.Timeout;
  readonly #endListening: () => void;
  #connection: Connection | undefined;
  #inbox = '';
  #subscription: Subscription | undefined;
  #outstanding = 0;
  #heardAt = 0;
  #retryMs: number = RETRY_MS_MIN;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(line: Line, options: IntakeOptions) {
    this.#line = line;
    this.#options = options;
    this.#watch = setInterval(() => this.#checkSilence(), HEARTBEAT_MS).unref();
    this.#endListening = line.onState(({ kind }) => {
      if (kind === 'ready') this.askAnew();
    });
    void this.#connect();
  }

  /** To be called when there may be more room than before. */
  refill(): void {
    if (this.#subscription === undefined || this.#retry !== undefined || this.#line.state.kind !== 'ready') return;
    const missing = this.#options.room() - this.#outstanding;
    if (missing < Math.max(1, this.#options.atLeast())) return;
    if (this.#outstanding === 0) this.#heardAt = performance.now();
    this.#outstanding += missing;
    const request = JSON.stringify({
      batch: missing,
      expires: EXPIRES_MS * NANOS_PER_MS,
      idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS,
    });
    const { stream, consumer } = this.#options;
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#connection!.publish(subject, Buffer.from(request), { reply: this.#inbox });
  }

  /** Forgets what was asked for, and asks: the consumer was made, or made anew. The server says nothing to requests of none. */
  askAnew(): void {
    if (this.#connection === undefined || this.#closed || this.#connection.isClosed()) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    void this.#subscription?.drain().catch(() => {});
    const inbox = newInbox();
    this.#inbox = inbox;
    this.#outstanding = 0;
    this.#subscription = this.#connection.subscribe(inbox, {
      callback: (_error, message) => this.#received(inbox, message),
    });
    this.refill();
  }

  /** Done with: it is not delivered again. Not awaited: should it get lost, the message is delivered again. */
  ack(handle: string): void {
    this.#answer(handle, ACK);
  }

  /** Put away for good: nobody can do anything with it. */
  putAway(handle: string): void {
    this.#answer(handle, TERM);
  }

  /** Still at it: the time to acknowledge begins anew. */
  working(handle: string): void {
    this.#answer(handle, WORKING);
  }

  /** Asks for no more. Resolves when what was on its way has been handed over, as far as that came in time. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#endListening();
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription === undefined || this.#line.state.kind !== 'ready') return;
    // It waits for the server's answer, and one that stands still has none.
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS_MAX);
    await Promise.race([subscription.drain().catch(() => {}), late.promise]);
    clearTimeout(timer);
  }

  async #connect(): Promise<void> {
    // Never: the caller knows, as it has closed it.
    const connected = await this.#line.connected().catch(() => undefined);
    if (connected === undefined || this.#closed) return;
    this.#connection = connected.nc;
    this.askAnew();
  }

  #answer(handle: string, answer: Uint8Array): void {
    // O3. The message is delivered again once the connection is back.
    if (this.#line.state.kind !== 'ready' || this.#connection?.isClosed() !== false) return;
    this.#connection.publish(handle, answer);
  }

  #askAnewLater(): void {
    if (this.#retry !== undefined || this.#closed) return;
    this.#retry = setTimeout(() => this.askAnew(), this.#retryMs).unref();
    this.#retryMs = Math.min(RETRY_MS_MAX, 2 * this.#retryMs);
  }

  #received(inbox: string, message: Message): void {
    if (inbox === this.#inbox) this.#heardAt = performance.now();
    if (message.subject === inbox) {
      if (inbox === this.#inbox) this.#onStatus(message);
      return;
    }
    const taken = takenOf(message);
    if (taken === undefined) return;
    this.#retryMs = RETRY_MS_MIN;
    if (inbox === this.#inbox) this.#outstanding = Math.max(0, this.#outstanding - 1);
    this.#options.onMessage(taken);
    this.refill();
  }

  /** What the server says of our requests. Where it does not say how much of one is void, all are. */
  #onStatus({ headers }: Message): void {
    const code = headers?.code ?? 0;
    if (code === STATUS_HEARTBEAT) {
      this.#retryMs = RETRY_MS_MIN;
      return;
    }
    const left = Number(headers?.get(PENDING_HEADER) ?? '');
    if (code === STATUS_EXPIRED && left > 0) {
      this.#outstanding = Math.max(0, this.#outstanding - left);
      return this.refill();
    }
    const reason = headers?.description ?? '';
    if (code === 503 || /consumer deleted|not found/i.test(reason)) this.#options.onMissing(reason || 'no responders');
    this.#askAnewLater();
  }

  #checkSilence(): void {
    if (this.#outstanding === 0 || this.#line.state.kind !== 'ready') return this.refill();
    if (performance.now() - this.#heardAt > SILENCE_MS) this.askAnew();
  }
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>…`, or with domain and account before the stream. */
function takenOf({ subject, data, reply = '' }: Message): Taken | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const at = tokens.length === 9 ? 4 : 6;
  const [deliveries, sequence, , storedAt] = tokens.slice(at);
  const message = `${sequence}@${storedAt}`;
  return { subject, data, handle: reply, deliveries: Number(deliveries), sequence: Number(sequence), message };
}
