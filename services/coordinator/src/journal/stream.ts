/** The journal's stream in NATS: its names, and questions about what is in it, which wait through outages. */
import type { Broker, Connected } from '@regatta/broker';
import { RegattaError } from '@regatta/kernel';
import type { MsgRequest, NatsConnection } from 'nats';
import { API, answerOf, apiNumber } from './asking.ts';
import { limits } from './limits.ts';
import { ID_HEADER, type Mark, markOf } from './record.ts';

export interface JournalInfo {
  readonly bytes: number;
  readonly messages: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** A message without its body. */
export interface Found {
  readonly sequence: number;
  readonly subject: string;
  readonly id: string;
  readonly mark: Mark | undefined;
}

export class Stream {
  readonly broker: Broker;
  readonly nc: NatsConnection;
  readonly jsm: Connected['jsm'];
  readonly name: string;
  /** Of all subjects, without the dot. */
  readonly prefix: string;

  constructor(broker: Broker, { nc, jsm }: Connected, name: string, prefix: string) {
    this.broker = broker;
    this.nc = nc;
    this.jsm = jsm;
    this.name = name;
    this.prefix = prefix;
  }

  /** What a message may hold. */
  get partBytes(): number {
    const whole = this.nc.info?.max_payload ?? limits.partBytesMax;
    return Math.max(1, Math.min(limits.partBytesMax, whole - limits.headerBytes));
  }

  subjectOf(kind: string): string {
    return `${this.prefix}.${kind}`;
  }

  kindOf(subject: string): string {
    return subject.slice(this.prefix.length + 1);
  }

  poisonLine(sequence: number, subject: string): string {
    return `message ${sequence} on ${subject.slice(0, 200)} is not the journal's and is passed over: let nothing else publish to ${this.prefix}.>`;
  }

  async info(): Promise<JournalInfo> {
    const { state } = await this.ask(() => this.jsm.streams.info(this.name));
    const { bytes, messages, first_seq: firstSequence, last_seq: lastSequence } = state;
    return { bytes, messages, firstSequence, lastSequence };
  }

  /** The first message from that sequence on, if there is one. */
  async messageFrom(sequence: number): Promise<Found | undefined> {
    // nats.js does not know yet that both may be given.
    const request = { seq: Math.max(1, sequence), next_by_subj: `${this.prefix}.>` } as MsgRequest;
    try {
      const { seq, subject, header } = await this.ask(() => this.jsm.streams.getMessage(this.name, request));
      const id = header.get(ID_HEADER);
      return { sequence: seq, subject, id, mark: markOf(id) };
    } catch (error) {
      if (apiNumber(error) === API.noMessage) return undefined;
      throw error;
    }
  }

  /** @throws RegattaError JOURNAL_LOST where the stream is not there; what else NATS answered for good */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await answerOf(this.broker, question);
    } catch (error) {
      if (apiNumber(error) !== API.streamNotFound) throw error;
      const line = `the NATS stream ${this.name} is gone, and with it the journal and its runs; a new one is begun`;
      throw new RegattaError('JOURNAL_LOST', line);
    }
  }
}
