/**
 * Outcomes as they come from the queue: read, checked, handed on, and acknowledged once the engine has stored them.
 *
 * - Q1: a message is acknowledged when each of its outcomes was. Until then it is ours as long as we live; another
 *   coordinator gets it when we do not.
 * - Q2: what cannot be read is put away, counted and told in one line: it would come back for ever.
 */

import type { Broker } from '@regatta/broker';
import { messageOf } from '@regatta/kernel';
import { Intake, type Taken } from '@regatta/proto/queue-intake';
import { OUTCOME_CONSUMER, OUTCOME_STREAM, runOf } from '@regatta/proto/queue-names';
import type { Outcome } from '../engine/bookkeeping.ts';
import { type Told, toldBy } from './codec.ts';
import { limits } from './limits.ts';
import { Takers } from './takers.ts';

/** News of an attempt. The same may come more than once. */
export interface Delivery {
  readonly runId: string;
  readonly nodeId: string;
  readonly incarnation: number;
  readonly outcome: Outcome;
  /** To be called once what it says is stored. */
  ack(): void;
}

interface OutcomeInboxOptions {
  readonly onOutcome: (delivery: Delivery) => void;
  /** A message, or a part of one, that nobody can do anything with, in a line. */
  readonly onPoison: (line: string) => void;
  readonly onMissing: () => void;
}

/** A message of which not all is stored yet. */
interface Held {
  handle: string;
  left: number;
  readonly bytes: number;
}

export class OutcomeInbox {
  readonly #options: OutcomeInboxOptions;
  readonly #intake: Intake;
  readonly #working: NodeJS.Timeout;
  /** By message, not by number: another one with the number of one held here would never be read. */
  readonly #held = new Map<string, Held>();
  #heldBytes = 0;
  #poisoned = 0;
  readonly #takers = new Takers();

  constructor(broker: Broker, options: OutcomeInboxOptions) {
    this.#options = options;
    this.#intake = new Intake(broker, {
      stream: OUTCOME_STREAM,
      consumer: OUTCOME_CONSUMER,
      room: () => (this.#heldBytes < limits.heldBytesMax ? limits.heldMessagesMax - this.#held.size : 0),
      atLeast: () => limits.askMessagesMin,
      onMessage: (taken) => this.#take(taken),
      onMissing: options.onMissing,
    });
    this.#working = setInterval(() => {
      for (const { handle } of this.#held.values()) this.#intake.working(handle);
    }, limits.ackWaitMs / 3).unref();
  }

  /** Messages of which not all is stored yet. */
  get heldMessages(): number {
    return this.#held.size;
  }

  /** Messages that could not be read, since this process began. */
  get poisoned(): number {
    return this.#poisoned;
  }

  /** The consumer was made, or made anew. */
  begin(): void {
    this.#intake.askAnew();
  }

  /** The run is closed. */
  forget(runId: string): void {
    this.#takers.drop(runId);
  }

  /** What is held goes to the next coordinator. */
  async close(): Promise<void> {
    await this.#intake.close();
    clearInterval(this.#working);
  }

  #take(taken: Taken): void {
    const { subject, data, message, handle } = taken;
    const known = this.#held.get(message);
    if (known !== undefined) {
      known.handle = handle;
      return;
    }
    const told = this.#read(taken);
    if (told === undefined) return this.#intake.putAway(handle);
    const { nodeId, incarnation } = told;
    const runId = runOf(subject);
    for (const { attemptId } of told.takings) this.#takers.took(runId, attemptId, nodeId);
    if (told.outcomes.length === 0) return this.#intake.ack(handle);
    const held: Held = { handle, left: told.outcomes.length, bytes: data.byteLength };
    this.#held.set(message, held);
    this.#heldBytes += held.bytes;
    for (const said of told.outcomes) {
      const outcome = this.#takers.named(said);
      let acked = false;
      const ack = (): void => {
        if (!acked) this.#ackOne(message, held);
        acked = true;
      };
      this.#options.onOutcome({ runId, nodeId, incarnation, outcome, ack });
    }
  }

  #ackOne(message: string, held: Held): void {
    if (--held.left > 0) return;
    this.#held.delete(message);
    this.#heldBytes -= held.bytes;
    this.#intake.ack(held.handle);
    this.#intake.refill();
  }

  #read({ subject, data, sequence }: Taken): Told | undefined {
    const message = `message ${sequence} on ${subject} (${data.byteLength} bytes)`;
    try {
      const told = toldBy(data, runOf(subject));
      for (const complaint of told.complaints) this.#poison(`${message} says what cannot be: ${complaint}`);
      return told;
    } catch (thrown) {
      this.#poison(`${message} is none of ours and was put away: ${messageOf(thrown)}`);
      return undefined;
    }
  }

  #poison(line: string): void {
    this.#poisoned++;
    this.#options.onPoison(line);
  }
}
