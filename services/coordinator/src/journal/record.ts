/**
 * How a record lies in the stream: one message, or several parts one after another. Each message carries an id by which
 * NATS stores it once, by which the next one is chained to it, and by which we know our own.
 */
import { assert } from '@regatta/kernel';
import { limits } from './limits.ts';

/** `take`: a new writer begins. `part`: `part` of `parts` of the `record`-th record that the writer of `term` wrote. */
export type Mark =
  | { readonly kind: 'take' }
  | {
      readonly kind: 'part';
      readonly term: number;
      readonly record: number;
      readonly part: number;
      readonly parts: number;
    };

const TAKE = /^regatta\.take\.[0-9a-f-]{36}$/;
const PART = /^regatta\.(\d{1,15})\.(\d{1,15})\.(\d{1,6})\.(\d{1,6})$/;
const KIND = /^[\w-]+(\.[\w-]+)*$/;
const FILTER = /^([\w-]+|\*)(\.([\w-]+|\*))*(\.>)?$|^>$/;

/** What a new writer writes first. */
export const TERM_KIND = 'term';

export const ID_HEADER = 'Nats-Msg-Id';
export const EXPECTED_SEQUENCE_HEADER = 'Nats-Expected-Last-Sequence';
export const EXPECTED_ID_HEADER = 'Nats-Expected-Last-Msg-Id';

export const takeId = (uuid: string): string => `regatta.take.${uuid}`;

export const partId = (term: number, record: number, part: number, parts: number): string =>
  `regatta.${term}.${record}.${part}.${parts}`;

/** @returns nothing where the message is not ours */
export function markOf(id: string): Mark | undefined {
  if (TAKE.test(id)) return { kind: 'take' };
  const found = PART.exec(id);
  if (found === null) return undefined;
  const [term, record, part, parts] = found.slice(1).map(Number) as [number, number, number, number];
  return part < parts ? { kind: 'part', term, record, part, parts } : undefined;
}

export const isKind = (kind: string): boolean => kind.length <= limits.kindCharactersMax && KIND.test(kind);

/** A kind with `*` for a token, and `>` for one or more at its end. */
export const isFilter = (filter: string): boolean => filter.length <= limits.kindCharactersMax && FILTER.test(filter);

/** @param bytesMax of a part. @returns at least one, which may be empty */
export function partsOf(body: Uint8Array, bytesMax: number): Uint8Array[] {
  assert(bytesMax > 0, 'parts of no size');
  if (body.byteLength <= bytesMax) return [body];
  const count = Math.ceil(body.byteLength / bytesMax);
  return Array.from({ length: count }, (_, i) => body.subarray(i * bytesMax, (i + 1) * bytesMax));
}

/**
 * Puts records together again. A writer writes all parts of one before the next, so parts that something of ours comes
 * between are of a writer that was cut off, and are dropped: nobody sees half a record.
 */
export class Assembler {
  #open: { readonly term: number; readonly record: number; readonly bodies: Uint8Array[] } | undefined;

  /** @returns the body, with the last part of a record */
  add(mark: Mark, body: Uint8Array): Uint8Array | undefined {
    if (mark.kind === 'take' || mark.parts === 1) {
      this.#open = undefined;
      return body;
    }
    const { term, record, part, parts } = mark;
    if (part === 0) {
      this.#open = { term, record, bodies: [body] };
      return undefined;
    }
    const open = this.#open;
    if (open === undefined || open.term !== term || open.record !== record || open.bodies.length !== part) {
      this.#open = undefined;
      return undefined;
    }
    open.bodies.push(body);
    if (part < parts - 1) return undefined;
    this.#open = undefined;
    return Buffer.concat(open.bodies);
  }
}
