/** What JetStream answers to a message, as a value. */
import { API } from './asking.ts';

export type Reply =
  | { readonly kind: 'stored'; readonly sequence: number }
  /** Something else than expected was last in the stream. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'full'; readonly why: string }
  /** Nobody takes messages for that subject: no stream, or no JetStream just now. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly why: string };

/** Account, memory and storage exceeded; of a stream that is full NATS says that it could not store, and why. */
const FULL = new Set([10_002, 10_023, 10_028, 10_047, 10_054]);
const STORE_FAILED = 10_077;

/** Whether NATS did not store something for want of room. */
export const isFull = (number: number | undefined, why: string): boolean =>
  number !== undefined && (FULL.has(number) || (number === STORE_FAILED && /maximum|exceeded|no space/i.test(why)));

interface WireReply {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

export function replyOf(data: Uint8Array): Reply {
  if (data.byteLength === 0) return { kind: 'absent' };
  let wire: WireReply;
  try {
    wire = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')) as WireReply;
  } catch {
    return { kind: 'refused', why: 'an answer that cannot be read' };
  }
  if (wire.error === undefined) {
    return wire.seq === undefined
      ? { kind: 'refused', why: 'an answer with no sequence' }
      : { kind: 'stored', sequence: wire.seq };
  }
  const { err_code: number = 0, description: why = 'no reason given' } = wire.error;
  if (number === API.wrongLastSequence || number === API.wrongLastMessageId) return { kind: 'conflict' };
  if (isFull(number, why)) return { kind: 'full', why };
  return { kind: 'refused', why };
}
