/**
 * Writes one term's records: pipelined, in order, each once, through outages, and only as long as nobody else writes.
 *
 * - W1: a message is stored directly behind the one before it or not at all. The sequence that it expects to be last does
 *   not ensure that for what is in flight: where somebody's message takes the place of one of ours, ours is refused, but
 *   the one after it finds the sequence that it expects. So what follows a message in flight expects its id, too.
 * - W2: what was sent and not acknowledged is sent again, in order, with the same ids, for as long as it takes.
 * - W3: another writer's message in the stream ends this one for good. A message that is not the journal's is stepped over.
 * - W4: a refused message takes with it all that waits behind it: a journal has no gaps.
 */
import type { Broker, BrokerState } from '@regatta/broker';
import { assert, messageOf, RegattaError } from '@regatta/kernel';
import { createInbox, headers, type Msg, type Subscription } from 'nats';
import { limits } from './limits.ts';
import { Outbox } from './outbox.ts';
import {
  EXPECTED_ID_HEADER,
  EXPECTED_SEQUENCE_HEADER,
  ID_HEADER,
  isKind,
  partId,
  partsOf,
  TERM_KIND,
} from './record.ts';
import { type Reply, replyOf } from './reply.ts';
import type { Stream } from './stream.ts';

export interface WriterEvents {
  /** It will write no more: FENCED or JOURNAL_LOST. */
  onEnded(error: RegattaError): void;
  onPoison(line: string, sequence: number): void;
}

type State =
  | { readonly kind: 'sending' }
  /** Of these the complaint says why. */
  | { readonly kind: 'held' | 'checking'; readonly complaint: string }
  | { readonly kind: 'ended'; readonly error: RegattaError };

export class Writer {
  readonly term: number;
  readonly #stream: Stream;
  readonly #broker: Broker;
  readonly #events: WriterEvents;
  readonly #outbox: Outbox;
  readonly #inbox: string;
  readonly #replies: Subscription;
  readonly #stopWatching: () => void;
  readonly #stallTimer: NodeJS.Timeout;
  #state: State = { kind: 'sending' };
  /** Replies to what was sent before everything was sent again are void, unless they say that it is stored. */
  #round = 0;
  #records = 0;
  #absences = 0;
  #progressAtMs = performance.now();
  #retryTimer: NodeJS.Timeout | undefined;
  #drains: (() => void)[] = [];

  /** @param term the sequence of its term's record, the last of the stream */
  constructor(stream: Stream, term: number, events: WriterEvents) {
    this.term = term;
    this.#stream = stream;
    this.#broker = stream.broker;
    this.#events = events;
    this.#outbox = new Outbox(term + 1);
    this.#inbox = createInbox();
    this.#replies = stream.nc.subscribe(`${this.#inbox}.*`, {
      callback: (_, msg) => outside(() => this.#onReply(msg)),
    });
    this.#stopWatching = this.#broker.onState((state) => this.#onBroker(state));
    this.#stallTimer = setInterval(() => this.#lookForStall(), limits.ackMs / 5);
    // What waits for an append is held by the connection; a process that ends does not wait for a clock.
    this.#stallTimer.unref();
    this.#onBroker(this.#broker.state);
  }

  get pendingBytes(): number {
    return this.#outbox.bytes;
  }

  /** Why nothing is written just now. */
  get complaint(): string | undefined {
    return 'complaint' in this.#state ? this.#state.complaint : undefined;
  }

  /** Why it will write no more. */
  get ended(): RegattaError | undefined {
    return this.#state.kind === 'ended' ? this.#state.error : undefined;
  }

  append(kind: string, body: Uint8Array): Promise<number> {
    assert(isKind(kind) && kind !== TERM_KIND, `no kind of record: ${kind}`);
    if (this.#state.kind === 'ended') return silently(Promise.reject(this.#state.error));
    if (this.#outbox.bytes + body.byteLength > limits.pendingBytesMax && this.#outbox.bytes > 0) {
      return silently(Promise.reject(this.#behind()));
    }
    const settle = Promise.withResolvers<number>();
    const parts = partsOf(body, this.#stream.partBytes);
    const record = ++this.#records;
    if (this.#outbox.head === undefined) this.#progressAtMs = performance.now();
    for (const [part, bytes] of parts.entries()) {
      const id = partId(this.term, record, part, parts.length);
      const subject = this.#stream.subjectOf(kind);
      this.#outbox.push({ subject, body: bytes, id, settle, isLast: part === parts.length - 1 });
    }
    this.#pump();
    return silently(settle.promise);
  }

  /** Resolves when little waits to be acknowledged, or nothing ever will be. */
  drained(): Promise<void> {
    if (this.#outbox.bytes <= limits.pendingBytesLow || this.#state.kind === 'ended') return Promise.resolve();
    return new Promise((resolve) => this.#drains.push(resolve));
  }

  /** Gives up what is not acknowledged; some of it may have been stored. */
  close(error: RegattaError): void {
    if (this.#state.kind === 'ended') return;
    this.#state = { kind: 'ended', error };
    clearInterval(this.#stallTimer);
    clearTimeout(this.#retryTimer);
    this.#stopWatching();
    this.#replies.unsubscribe();
    this.#outbox.fail(error);
    this.#tellDrained();
  }

  #end(error: RegattaError): void {
    if (this.#state.kind === 'ended') return;
    this.close(error);
    this.#events.onEnded(error);
  }

  #pump(): void {
    while (this.#state.kind === 'sending') {
      if (this.#outbox.inFlight >= limits.windowMessages || this.#outbox.bytesInFlight >= limits.windowBytes) return;
      const next = this.#outbox.next;
      if (next === undefined) return;
      const { message, sequence, before } = next;
      const expects = headers();
      expects.set(ID_HEADER, message.id);
      expects.set(EXPECTED_SEQUENCE_HEADER, `${sequence - 1}`);
      // W1. The head needs none: what is before it is known to be ours.
      if (before !== undefined) expects.set(EXPECTED_ID_HEADER, before.id);
      try {
        const reply = `${this.#inbox}.${this.#round}_${sequence}`;
        this.#stream.nc.publish(message.subject, message.body, { reply, headers: expects });
      } catch (error) {
        return this.#hold(`NATS's client does not take what is to be written: ${messageOf(error)}`);
      }
      this.#outbox.sent();
    }
  }

  #onReply(msg: Msg): void {
    if (this.#state.kind === 'ended') return;
    const reply = replyOf(msg.data);
    // Whenever it was sent: it is there, and by W1 so is all before it.
    if (reply.kind === 'stored') return this.#onStored(reply.sequence);
    const [round, sequence] = msg.subject
      .slice(this.#inbox.length + 1)
      .split('_')
      .map(Number);
    // Where a message is refused, those behind it are, too: the first one's reply says why.
    if (this.#state.kind !== 'sending' || round !== this.#round || sequence !== this.#outbox.sequence) return;
    this.#onRefused(reply);
  }

  #onStored(sequence: number): void {
    this.#progressAtMs = performance.now();
    this.#absences = 0;
    this.#outbox.stored(sequence);
    this.#tellDrained();
    this.#pump();
  }

  #onRefused(reply: Exclude<Reply, { kind: 'stored' }>): void {
    switch (reply.kind) {
      case 'conflict':
        return void this.#check();
      case 'full':
        return this.#full(reply.why);
      case 'absent':
        return void this.#checkAbsence();
      case 'refused':
        return this.#hold(`NATS does not store what is to be written (${reply.why}); trying on`);
    }
  }

  #onBroker(state: BrokerState): void {
    if (state.kind === 'closed') {
      return this.close(
        new RegattaError('BROKER_CLOSED', 'the journal was closed before NATS had acknowledged all of it'),
      );
    }
    if (this.#state.kind === 'checking') return;
    if (state.kind === 'ready') return this.#again();
    clearTimeout(this.#retryTimer);
    this.#state = { kind: 'held', complaint: state.complaint };
  }

  /** W2. @param sequence of the head, where that changed */
  #again(sequence?: number): void {
    if (this.#state.kind === 'ended') return;
    clearTimeout(this.#retryTimer);
    this.#round++;
    this.#progressAtMs = performance.now();
    this.#outbox.rewind(sequence);
    const { state } = this.#broker;
    if (state.kind === 'waiting') {
      this.#state = { kind: 'held', complaint: state.complaint };
      return;
    }
    this.#state = { kind: 'sending' };
    this.#pump();
  }

  #hold(complaint: string): void {
    if (this.#state.kind === 'ended') return;
    this.#state = { kind: 'held', complaint };
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#again(), limits.retryMs);
    this.#retryTimer.unref();
  }

  /** A message or its reply was lost, or NATS is slow: once it answers a ping it has had the time. */
  #lookForStall(): void {
    if (this.#state.kind !== 'sending' || this.#outbox.inFlight === 0) return;
    if (performance.now() - this.#progressAtMs < limits.ackMs) return;
    const { head } = this.#outbox;
    this.#progressAtMs = performance.now();
    this.#stream.nc.flush().then(
      () => {
        if (this.#state.kind === 'sending' && this.#outbox.head === head) this.#again();
      },
      () => {},
    );
  }

  /** Something else is where the head should be: looks at each message from there on. W3. */
  async #check(): Promise<void> {
    this.#state = { kind: 'checking', complaint: 'looking up who else wrote to the journal' };
    let sequence = this.#outbox.sequence;
    try {
      for (;;) {
        const { lastSequence } = await this.#stream.info();
        const found = await this.#stream.messageFrom(sequence);
        if ((this.#state as State).kind === 'ended') return;
        if (found === undefined) {
          if (lastSequence < this.#outbox.sequence - 1) return this.#end(this.#wentBack(lastSequence));
          // Each message up to the last one was looked at, or is there no more; then it was no term's record: those stay.
          return this.#again(Math.max(sequence, lastSequence + 1));
        }
        if (found.sequence < this.#outbox.sequence) {
          // Its reply came meanwhile.
        } else if (found.id === this.#outbox.head?.id) {
          // It was stored, and its reply lost.
          this.#outbox.rewind(found.sequence);
          this.#onStored(found.sequence);
        } else if (found.mark !== undefined) {
          return this.#end(this.#fenced(`by the writer of record ${found.sequence}`));
        } else {
          this.#events.onPoison(this.#stream.poisonLine(found.sequence, found.subject), found.sequence);
        }
        sequence = found.sequence + 1;
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async #checkAbsence(): Promise<void> {
    this.#state = {
      kind: 'checking',
      complaint: `NATS does not answer for the stream ${this.#stream.name}; trying on`,
    };
    try {
      await this.#stream.info();
      this.#absences = 0;
      this.#hold('JetStream is not ready yet; trying on');
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Of a question to NATS that will get no other answer. */
  #failed(error: unknown): void {
    if ((error as RegattaError).code === 'JOURNAL_LOST' && ++this.#absences >= limits.absencesMax) {
      return this.#end(error as RegattaError);
    }
    if (this.#broker.state.kind !== 'closed') this.#hold(messageOf(error));
  }

  /** W4. */
  #full(why: string): void {
    const line = `the journal is full (${why}): forget old runs, or give the NATS stream ${this.#stream.name} more room`;
    this.#round++;
    this.#outbox.fail(new RegattaError('JOURNAL_FULL', line));
    this.#tellDrained();
  }

  #behind(): RegattaError {
    const why = this.complaint ?? 'NATS stores slower than we write';
    return new RegattaError(
      'JOURNAL_BEHIND',
      `${limits.pendingBytesMax} bytes wait to be written to the journal: ${why}`,
    );
  }

  #fenced(how: string): RegattaError {
    return new RegattaError('FENCED', `another coordinator leads: the journal was taken over ${how}`);
  }

  #wentBack(lastSequence: number): RegattaError {
    const lost = `records ${lastSequence + 1} to ${this.#outbox.sequence - 1}`;
    const line = `NATS lost ${lost} of the stream ${this.#stream.name} after acknowledging them; see sync_interval of NATS`;
    return new RegattaError('JOURNAL_LOST', line);
  }

  #tellDrained(): void {
    if (this.#drains.length === 0) return;
    if (this.#outbox.bytes > limits.pendingBytesLow && this.#state.kind !== 'ended') return;
    for (const resolve of this.#drains.splice(0)) resolve();
  }
}

/** Who does not wait for an append learns of a failure by `onEnded`: no reason to end the process. */
function silently<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** nats.js takes what a callback throws for the end of its connection's input, and goes on without it. */
function outside(action: () => void): void {
  try {
    action();
  } catch (bug) {
    queueMicrotask(() => {
      throw bug;
    });
  }
}
