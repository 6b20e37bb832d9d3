/**
 * What there is to tell a coordinator: outcomes that wait to be sent, and those that were sent and may have to be again,
 * as a coordinator with a journal has not acknowledged them. How it is sent is not its matter.
 *
 * - O1: outcomes are told in their order, and none is forgotten before it was acknowledged, where anybody acknowledges.
 * - O2: it has a bound: beyond it whoever makes outcomes is held, until half of it is told (K1).
 */
import type { Outcome } from '../hosts/work.ts';
import { limits } from '../limits.ts';
import type { LateFailure } from '../worker/messages.ts';

/** About what a failure takes beside its texts. */
const FAILURE_BYTES = 64;

export class Outbox {
  readonly #hold: (on: boolean) => void;
  #waiting: Outcome[] = [];
  /** Sent, and not acknowledged; empty where the coordinator acknowledges nothing. */
  #unacknowledged: Outcome[] = [];
  #acknowledged = 0;
  #late: LateFailure[] = [];
  #bytes = 0;

  /** @param hold told whether whoever makes outcomes is to be held */
  constructor(hold: (on: boolean) => void) {
    this.#hold = hold;
  }

  /** Of outcomes that wait to be sent, or to be acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** There is something to send. */
  get waits(): boolean {
    return this.#waiting.length + this.#late.length > 0;
  }

  /** All was told, and acknowledged where it is. */
  get empty(): boolean {
    return !this.waits && this.#unacknowledged.length === 0;
  }

  /** Of which something is to be told still, or may have to be again; some more than once. */
  get attempts(): number[] {
    return [...this.#unacknowledged, ...this.#waiting].map(({ attemptId }) => attemptId);
  }

  add(outcome: Outcome): void {
    this.#waiting.push(outcome);
    this.#weigh(sizeOf(outcome));
  }

  /** @returns whether it is told: of very many not all are */
  addLate(late: LateFailure): boolean {
    if (this.#late.length >= limits.lateFailuresMax) return false;
    this.#late.push(late);
    return true;
  }

  /** The oldest outcomes, about as many as one frame holds. @param keep until they are acknowledged */
  take(keep: boolean): Outcome[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && bytes < limits.reportBytes) {
      bytes += sizeOf(this.#waiting[count++]!);
    }
    const taken = this.#waiting.splice(0, count);
    if (keep) this.#unacknowledged.push(...taken);
    else this.#weigh(-bytes);
    return taken;
  }

  takeLate(): LateFailure[] {
    return this.#late.splice(0);
  }

  /** @param count of outcomes on this connection, the first so many, that are safe where they went */
  acknowledge(count: number): void {
    if (count <= this.#acknowledged) return;
    const kept = this.#unacknowledged.splice(0, count - this.#acknowledged);
    this.#acknowledged = count;
    this.#weigh(-kept.reduce((sum, outcome) => sum + sizeOf(outcome), 0));
  }

  /** There is a new connection. Whoever is there may have heard what it did not acknowledge: it will know. */
  startAnew(): void {
    this.#waiting.unshift(...this.#unacknowledged.splice(0));
    this.#acknowledged = 0;
  }

  /** Whom it was for is gone for good. */
  clear(): void {
    this.#waiting = [];
    this.#unacknowledged = [];
    this.#late = [];
    this.#weigh(-this.#bytes);
  }

  /** A coordinator that reads slowly must not fill this process with what it has not read (O2). */
  #weigh(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > limits.outboxBytesMax) this.#hold(true);
    else if (this.#bytes <= limits.outboxBytesMax / 2) this.#hold(false);
  }
}

function sizeOf({ results, timing, failures }: Outcome): number {
  let bytes = results.byteLength + timing.wallUs.byteLength + timing.cpuUs.byteLength;
  for (const { message, stack } of failures) bytes += FAILURE_BYTES + message.length + stack.length;
  return bytes;
}
