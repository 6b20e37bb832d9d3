/**
 * What a writer has to write, in order: first what is sent and not acknowledged, then what is not sent. It gives each
 * message the sequence that it will have in the stream; sending is not its matter.
 *
 * - O1: messages have sequences without gaps, from the one after the last that was acknowledged.
 * - O2: a record is settled once: with its last part, or with the first failure.
 */
import { assert } from '@regatta/kernel';

export interface Message {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly id: string;
  /** Of the record that it is the last part of, or a part of. */
  readonly settle: PromiseWithResolvers<number>;
  readonly isLast: boolean;
}

export class Outbox {
  #messages: Message[] = [];
  /** Of #messages: those before are settled and cut off now and then. */
  #head = 0;
  #sent = 0;
  /** The sequence of the head. */
  #sequence: number;
  #bytes = 0;
  #bytesInFlight = 0;

  /** @param sequence of the first message to come */
  constructor(sequence: number) {
    this.#sequence = sequence;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  get inFlight(): number {
    return this.#sent - this.#head;
  }

  /** The one that all wait for. */
  get head(): Message | undefined {
    return this.#messages[this.#head];
  }

  /** The sequence of the head, or of the next message that comes. */
  get sequence(): number {
    return this.#sequence;
  }

  push(message: Message): void {
    this.#messages.push(message);
    this.#bytes += message.body.byteLength;
  }

  /** The next to be sent, with its sequence and what is sent before it and not acknowledged. */
  get next():
    | { readonly message: Message; readonly sequence: number; readonly before: Message | undefined }
    | undefined {
    const message = this.#messages[this.#sent];
    if (message === undefined) return undefined;
    const before = this.#sent > this.#head ? this.#messages[this.#sent - 1] : undefined;
    return { message, sequence: this.#sequence + this.inFlight, before };
  }

  sent(): void {
    assert(this.#sent < this.#messages.length, 'sent what is not there');
    this.#bytesInFlight += this.#messages[this.#sent]!.body.byteLength;
    this.#sent++;
  }

  /** All of it has to be sent again. @param sequence that the head will have, where that changed */
  rewind(sequence: number = this.#sequence): void {
    this.#sent = this.#head;
    this.#bytesInFlight = 0;
    this.#sequence = sequence;
  }

  /** All up to that sequence is stored. */
  stored(sequence: number): void {
    while (this.#sequence <= sequence) {
      const message = this.head;
      assert(message !== undefined, `NATS acknowledged ${sequence}, which was not sent`);
      this.#bytes -= message.body.byteLength;
      if (this.#sent > this.#head) this.#bytesInFlight -= message.body.byteLength;
      this.#head++;
      this.#sent = Math.max(this.#sent, this.#head);
      if (message.isLast) message.settle.resolve(this.#sequence);
      this.#sequence++;
    }
    if (this.#head < 1_024 || 2 * this.#head < this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#head);
    this.#sent -= this.#head;
    this.#head = 0;
  }

  /** Nothing of what is there will be written. */
  fail(error: Error): void {
    for (const { settle } of this.#messages.slice(this.#head)) settle.reject(error);
    this.#messages = [];
    this.#head = this.#sent = this.#bytes = this.#bytesInFlight = 0;
  }
}
