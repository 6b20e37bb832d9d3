/**
 * Payload codec: many values in one buffer, each still to be had alone.
 *
 * A pack is `u32 count`, `u32 end[count]` (offsets past the table), then the values. All little-endian. Everything
 * between a lane and the client carries packs unopened, or cuts them by index; nobody decodes what they do not read.
 *
 * - P1: one value can be decoded alone. Its bytes are not a fingerprint, though: equal values may encode differently
 *   (see digest.ts).
 * - P2: an empty entry stands for a task with no result (it failed).
 */
import { deserialize, serialize } from 'node:v8';

// First byte of a value. Numbers, undefined and bytes skip the structured clone: they are what short tasks return.
const UNDEFINED = 0;
const FLOAT64 = 1;
const CLONE = 2;
const BYTES = 3;

const UNDEFINED_BYTES = Uint8Array.of(UNDEFINED);

/** One value to bytes. @throws DataCloneError for functions, symbols and the like */
export function encodeValue(value: unknown): Uint8Array {
  if (value === undefined) return UNDEFINED_BYTES;
  if (typeof value === 'number') {
    const bytes = Buffer.allocUnsafe(9);
    bytes[0] = FLOAT64;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  const plainBytes = value instanceof Uint8Array && value.constructor === Uint8Array;
  const body = plainBytes ? value : serialize(value);
  const bytes = Buffer.allocUnsafe(1 + body.byteLength);
  bytes[0] = plainBytes ? BYTES : CLONE;
  bytes.set(body, 1);
  return bytes;
}

/** @throws Error where the bytes are no value of ours */
export function decodeValue(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (buffer[0]) {
    case UNDEFINED:
      return undefined;
    case FLOAT64:
      return buffer.readDoubleLE(1);
    case CLONE:
      return deserialize(buffer.subarray(1));
    case BYTES:
      return new Uint8Array(buffer.subarray(1));
    default:
      throw new Error(`not an encoded value: it begins with byte ${buffer[0]}`);
  }
}

/** @param entries encoded values; an empty one where there is none */
export function pack(entries: readonly Uint8Array[]): Buffer {
  let size = 4 + 4 * entries.length;
  const table = size;
  for (const entry of entries) size += entry.byteLength;
  const buffer = Buffer.allocUnsafe(size);
  buffer.writeUInt32LE(entries.length, 0);
  let end = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    buffer.set(entry, table + end);
    end += entry.byteLength;
    buffer.writeUInt32LE(end, 4 + 4 * i);
  }
  return buffer;
}

/** The entries of a pack, as views on it. @throws Error where it is cut short or its table is wrong */
export function unpack(packed: Uint8Array): Uint8Array[] {
  const { count, table, buffer } = open(packed);
  const entries: Uint8Array[] = new Array(count);
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = buffer.readUInt32LE(4 + 4 * i);
    if (end < start || table + end > buffer.byteLength) throw new Error('not a pack: its table is wrong');
    entries[i] = buffer.subarray(table + start, table + end);
    start = end;
  }
  return entries;
}

/** Entries [from, to) of a pack, as a pack of their own. */
export function slicePack(packed: Uint8Array, from: number, to: number): Buffer {
  const { count, buffer } = open(packed);
  if (from === 0 && to === count) return buffer;
  return pack(unpack(packed).slice(from, to));
}

/** How many entries a pack holds. */
export const packCount = (packed: Uint8Array): number => open(packed).count;

function open(packed: Uint8Array): { count: number; table: number; buffer: Buffer } {
  const buffer = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const count = buffer.byteLength < 4 ? 0 : buffer.readUInt32LE(0);
  const table = 4 + 4 * count;
  if (buffer.byteLength < table) throw new Error('not a pack: it is cut short');
  return { count, table, buffer };
}
