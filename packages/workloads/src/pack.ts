/**
 * Payload codec: many values in one buffer, each still to be had alone.
 *
 * A pack is the values, then `u32 end[count]` (where each value ends), then `u32 count`; all little-endian. Where all
 * values are of one size, as numbers mostly are, that size alone takes the place of the table, and the count has its
 * highest bit set. The table comes last so that values are written once, where they stay. Everything between a lane and the
 * client carries packs unopened, or cuts them by index; nobody decodes what they do not read.
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
const INT32 = 4;

const WORD = 4;
/** In the count: all entries are of one size. */
const EVEN = 0x8000_0000;
/** Room for so much is made ahead; what is larger is made when it comes. */
const SIZE_KEPT_MAX = 262_144;

/** Gathers values into a pack. */
export class Packer {
  #body: Buffer;
  #used = 0;
  #ends: number[] = [];

  /** @param sizeHint bytes that the values may take; more is made where they take more */
  constructor(sizeHint = 256) {
    this.#body = Buffer.allocUnsafe(sizeHint);
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Of the values so far. */
  get bytes(): number {
    return this.#used;
  }

  /** @returns bytes that the value takes. @throws DataCloneError for functions, symbols and the like; then nothing is added */
  add(value: unknown): number {
    const before = this.#used;
    if (isInt32(value)) {
      this.#reserve(5);
      this.#body[before] = INT32;
      this.#body.writeInt32LE(value, before + 1);
      this.#used += 5;
    } else if (typeof value === 'number') {
      this.#reserve(9);
      this.#body[before] = FLOAT64;
      this.#body.writeDoubleLE(value, before + 1);
      this.#used += 9;
    } else if (value === undefined) {
      this.#reserve(1);
      this.#body[this.#used++] = UNDEFINED;
    } else {
      const plainBytes = value instanceof Uint8Array && value.constructor === Uint8Array;
      const content = plainBytes ? value : serialize(value);
      this.#reserve(1 + content.byteLength);
      this.#body[before] = plainBytes ? BYTES : CLONE;
      this.#body.set(content, before + 1);
      this.#used += 1 + content.byteLength;
    }
    this.#ends.push(this.#used);
    return this.#used - before;
  }

  /** An entry for a task with no result (P2). */
  addNone(): void {
    this.#ends.push(this.#used);
  }

  dropLast(): void {
    this.#ends.pop();
    this.#used = this.#ends.at(-1) ?? 0;
  }

  /** Makes an entry that of a task with no result. */
  blank(index: number): void {
    const start = index === 0 ? 0 : this.#ends[index - 1]!;
    const end = this.#ends[index]!;
    this.#body.copyWithin(start, end, this.#used);
    for (let i = index; i < this.#ends.length; i++) this.#ends[i]! -= end - start;
    this.#used -= end - start;
  }

  /** The pack. The packer is empty afterwards, with room for about as much again. */
  finish(): Buffer {
    const ends = this.#ends;
    const used = this.#used;
    this.#reserve(0);
    const packed = writeTable(this.#body, used, ends);
    this.#body = Buffer.allocUnsafe(Math.min(SIZE_KEPT_MAX, Math.max(64, packed.byteLength)));
    this.#ends = [];
    this.#used = 0;
    return packed;
  }

  #reserve(bytes: number): void {
    // The table is written behind the values: one that was large would be copied for its sake.
    const needed = this.#used + bytes + WORD * (this.#ends.length + 2);
    if (needed <= this.#body.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#body.byteLength));
    larger.set(this.#body.subarray(0, this.#used));
    this.#body = larger;
  }
}

/** A negative zero is none: it would come back as another number. */
const isInt32 = (value: unknown): value is number =>
  typeof value === 'number' && (value | 0) === value && (value !== 0 || 1 / value > 0);

function writeTable(buffer: Buffer, used: number, ends: readonly number[]): Buffer {
  const size = sizeOfAll(used, ends);
  let at = used;
  if (size > 0) at = buffer.writeUInt32LE(size, at);
  else for (let i = 0; i < ends.length; i++) at = buffer.writeUInt32LE(ends[i]!, at);
  at = buffer.writeUInt32LE(size > 0 ? EVEN + ends.length : ends.length, at);
  return buffer.subarray(0, at);
}

/** 0 where they differ, or are too few for that to matter. */
function sizeOfAll(used: number, ends: readonly number[]): number {
  const size = ends[0] ?? 0;
  if (ends.length < 2 || size === 0 || used !== size * ends.length) return 0;
  for (let i = 1; i < ends.length; i++) if (ends[i] !== size * (i + 1)) return 0;
  return size;
}

/** One value to bytes. @throws DataCloneError for functions, symbols and the like */
export function encodeValue(value: unknown): Uint8Array {
  const packer = new Packer(64);
  const bytes = packer.add(value);
  return packer.finish().subarray(0, bytes);
}

/** @throws Error where the bytes are no value of ours */
export function decodeValue(bytes: Uint8Array): unknown {
  const buffer = bufferOf(bytes);
  return buffer[0] === BYTES ? new Uint8Array(buffer.subarray(1)) : decodeInPlace(bytes);
}

/** The same, but bytes are a view of those given: for whoever owns them. @throws Error where the bytes are no value of ours */
export function decodeInPlace(bytes: Uint8Array): unknown {
  const buffer = bufferOf(bytes);
  switch (buffer[0]) {
    case UNDEFINED:
      return undefined;
    case FLOAT64:
      return buffer.readDoubleLE(1);
    case INT32:
      return buffer.readInt32LE(1);
    case CLONE:
      return deserialize(buffer.subarray(1));
    case BYTES:
      return new Uint8Array(buffer.buffer, buffer.byteOffset + 1, buffer.byteLength - 1);
    default:
      throw new Error(`not an encoded value: it begins with byte ${buffer[0]}`);
  }
}

/** @param entries encoded values; an empty one where there is none */
export function pack(entries: readonly Uint8Array[]): Buffer {
  let size = WORD * (entries.length + 1);
  for (const entry of entries) size += entry.byteLength;
  const buffer = Buffer.allocUnsafe(size);
  const ends: number[] = new Array(entries.length);
  let used = 0;
  for (let i = 0; i < entries.length; i++) {
    buffer.set(entries[i]!, used);
    used += entries[i]!.byteLength;
    ends[i] = used;
  }
  return writeTable(buffer, used, ends);
}

/** The entries of a pack, as views on it. @throws Error where it is cut short or its table is wrong */
export function unpack(packed: Uint8Array): Uint8Array[] {
  const { count, table, size, buffer } = open(packed);
  const entries: Uint8Array[] = new Array(count);
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = size > 0 ? start + size : buffer.readUInt32LE(table + WORD * i);
    if (end < start || end > table) throw new Error('not a pack: its table is wrong');
    entries[i] = buffer.subarray(start, end);
    start = end;
  }
  return entries;
}

/** Entries [from, to) of a pack, as a pack of their own. @throws Error where the pack has no such entries */
export function slicePack(packed: Uint8Array, from: number, to: number): Buffer {
  const { count, table, size, buffer } = open(packed);
  if (from === 0 && to === count) return buffer;
  if (to > count) throw new Error('not a pack: its table is wrong');
  const endOf = (entry: number): number => {
    if (size > 0) return size * (entry + 1);
    return entry < 0 ? 0 : buffer.readUInt32LE(table + WORD * entry);
  };
  const [start, end] = [endOf(from - 1), endOf(to - 1)];
  if (end < start || end > table) throw new Error('not a pack: its table is wrong');
  const slice = Buffer.allocUnsafe(end - start + WORD * (to - from + 1));
  buffer.copy(slice, 0, start, end);
  const ends = Array.from({ length: to - from }, (_, i) => endOf(from + i) - start);
  return writeTable(slice, end - start, ends);
}

/** Which entries are empty, and so have no result. Reads the whole table. @throws Error where it is wrong */
export function emptyEntries(packed: Uint8Array): number[] {
  const { count, table, size, buffer } = open(packed);
  const empty: number[] = [];
  if (size > 0) return empty;
  let start = 0;
  for (let entry = 0, at = table; entry < count; entry++, at += WORD) {
    const end = buffer.readUInt32LE(at);
    if (end < start || end > table) throw new Error('not a pack: its table is wrong');
    if (end === start) empty.push(entry);
    start = end;
  }
  return empty;
}

/** How many entries a pack holds. @throws Error where it is none */
export const packCount = (packed: Uint8Array): number => open(packed).count;

/** `size` of each entry, where there is no table; otherwise 0. `table` is where the values end. */
function open(packed: Uint8Array): { count: number; table: number; size: number; buffer: Buffer } {
  const buffer = bufferOf(packed);
  const bytes = buffer.byteLength;
  const word = bytes < WORD ? -1 : buffer.readUInt32LE(bytes - WORD);
  const even = word >= EVEN;
  const count = even ? word - EVEN : word;
  const table = bytes - WORD * (even ? 2 : count + 1);
  const last = count > 0 && table >= 0 ? buffer.readUInt32LE(bytes - 2 * WORD) : 0;
  const ending = even ? last * count : last;
  if (count < 0 || table < 0 || ending !== table || (even && last === 0))
    throw new Error('not a pack: it is cut short');
  return { count, table, size: even ? last : 0, buffer };
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
