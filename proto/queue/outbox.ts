/**
 * Messages on their way into a stream: sent without waiting for one another, and again until the stream has them, through
 * any outage. The stream stores a message id once.
 *
 * - O1: a message is held until the stream acknowledged it, or its group was dropped. Nothing else loses one.
 * - O2: what was sent and not acknowledged is bounded in bytes; the rest waits here. How much may wait is the caller's
 *   to decide: `waitingBytes` tells it.
 * - O3: nothing is given to a connection that is down: nats.js would keep it, and then throw it away.
 */
import { type Connection, type Line, type Message, newInbox } from './connection.ts';

export interface Outgoing {
  readonly subject: string;
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Those that are dropped together. */
  readonly group: string;
}

interface Entry extends Outgoing {
  readonly onStored: () => void;
  /** When to send it again, if nothing is heard. */
  resendAt: number;
}

interface OutboxOptions {
  /** Sent and not acknowledged: O2. */
  readonly bytesInFlightMax: number;
  /** Without an acknowledgement for so long a message is sent again; refused, it is tried again as often as this. */
  readonly resendMs: number;
  readonly refusedMs: number;
  /** The header that makes a stream store a message once. */
  readonly headersOf: (messageId: string) => unknown;
  /** Told once for each reason in a row. */
  readonly onRefused: (reason: string) => void;
}

export class Outbox {
  readonly #line: Line;
  readonly #options: OutboxOptions;
  readonly #inbox = newInbox();
  readonly #inFlight = new Map<string, Entry>();
  #unsent: Entry[] = [];
  #unsentAt = 0;
  #bytesInFlight = 0;
  #waitingBytes = 0;
  #nextToken = 0;
  #connection: Connection | undefined;
  #refusal = '';
  #closed = false;
  readonly #sweep: NodeJS.Timeout;
  readonly #endListening: () => void;
  readonly #settling = new Set<{ readonly group: string; readonly done: () => void }>();

  constructor(line: Line, options: OutboxOptions) {
    this.#line = line;
    this.#options = options;
    // unref'd: whoever has nothing else left to do may end.
    this.#sweep = setInterval(() => this.#resend(performance.now()), options.refusedMs).unref();
    this.#endListening = line.onState(({ kind }) => {
      if (kind === 'ready') this.#resend(Number.POSITIVE_INFINITY);
    });
    void this.#connect();
  }

  /** Bytes that no stream has yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Why the last message was refused; empty once one is stored again. */
  get refusal(): string {
    return this.#refusal;
  }

  /** How many messages of a group no stream has yet. */
  waitingOf(group: string): number {
    return this.#count(group);
  }

  send(message: Outgoing, onStored: () => void): void {
    this.#waitingBytes += message.bytes.byteLength;
    this.#unsent.push({ ...message, onStored, resendAt: 0 });
    this.#flush();
  }

  /**
   * Sends no more of a group. Resolves when none is on its way: one that still is could reach the stream after whatever
   * the caller does next.
   */
  drop(group: string): Promise<void> {
    const kept: Entry[] = [];
    for (let i = this.#unsentAt; i < this.#unsent.length; i++) {
      const entry = this.#unsent[i]!;
      if (entry.group === group) this.#waitingBytes -= entry.bytes.byteLength;
      else kept.push(entry);
    }
    this.#unsent = kept;
    this.#unsentAt = 0;
    if (this.#count(group) === 0) return Promise.resolve();
    return new Promise((resolve) => this.#settling.add({ group, done: resolve }));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#endListening();
    this.#connection = undefined;
  }

  async #connect(): Promise<void> {
    // Never: the caller knows, as it has closed it.
    const connected = await this.#line.connected().catch(() => undefined);
    if (connected === undefined || this.#closed || connected.nc.isClosed()) return;
    this.#connection = connected.nc;
    this.#connection.subscribe(`${this.#inbox}.*`, { callback: (_error, message) => this.#answered(message) });
    this.#flush();
  }

  #count(group: string): number {
    let count = 0;
    for (const entry of this.#inFlight.values()) if (entry.group === group) count++;
    for (let i = this.#unsentAt; i < this.#unsent.length; i++) if (this.#unsent[i]!.group === group) count++;
    return count;
  }

  #flush(): void {
    if (this.#connection === undefined || this.#line.state.kind !== 'ready') return;
    const { bytesInFlightMax } = this.#options;
    while (this.#unsentAt < this.#unsent.length && this.#bytesInFlight < bytesInFlightMax) {
      const entry = this.#unsent[this.#unsentAt++]!;
      const token = String(this.#nextToken++);
      this.#inFlight.set(token, entry);
      this.#bytesInFlight += entry.bytes.byteLength;
      this.#publish(token, entry);
    }
    if (this.#unsentAt === this.#unsent.length || 2 * this.#unsentAt > this.#unsent.length) {
      this.#unsent = this.#unsent.slice(this.#unsentAt);
      this.#unsentAt = 0;
    }
  }

  #publish(token: string, entry: Entry): void {
    entry.resendAt = performance.now() + this.#options.resendMs;
    const { subject, bytes, id } = entry;
    try {
      this.#connection!.publish(subject, bytes, {
        reply: `${this.#inbox}.${token}`,
        headers: this.#options.headersOf(id),
      });
    } catch (thrown) {
      // Closed, or larger than a server that is new takes.
      this.#refused(entry, String((thrown as Error).message));
    }
  }

  /** Those that are due by then. */
  #resend(by: number): void {
    if (this.#connection === undefined || this.#line.state.kind !== 'ready') return;
    for (const [token, entry] of this.#inFlight) if (entry.resendAt <= by) this.#publish(token, entry);
    this.#flush();
  }

  #answered({ subject, data, headers }: Message): void {
    const token = subject.slice(this.#inbox.length + 1);
    const entry = this.#inFlight.get(token);
    // Of a message that was sent twice.
    if (entry === undefined) return;
    const refusal = headers?.code === 503 ? 'no stream takes it' : refusalIn(data);
    if (refusal !== undefined) return this.#refused(entry, refusal);
    this.#refusal = '';
    this.#inFlight.delete(token);
    this.#bytesInFlight -= entry.bytes.byteLength;
    this.#waitingBytes -= entry.bytes.byteLength;
    entry.onStored();
    this.#settle(entry.group);
    this.#flush();
  }

  /** It stays, and is tried again: what refuses it today (a full disk, a stream that is gone) is put right some day. */
  #refused(entry: Entry, reason: string): void {
    entry.resendAt = performance.now() + this.#options.refusedMs;
    if (reason === this.#refusal) return;
    this.#refusal = reason;
    this.#options.onRefused(reason);
  }

  #settle(group: string): void {
    for (const waiting of this.#settling) {
      if (waiting.group !== group || this.#count(group) > 0) continue;
      this.#settling.delete(waiting);
      waiting.done();
    }
  }
}

/** An acknowledgement begins with the stream's name or with an error. */
function refusalIn(data: Uint8Array): string | undefined {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
  if (text.startsWith('{"stream"')) return undefined;
  try {
    const { error } = JSON.parse(text) as { error?: { description?: string } };
    return error === undefined ? undefined : String(error.description);
  } catch {
    return 'its answer cannot be read';
  }
}
