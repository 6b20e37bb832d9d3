/**
 * One hash for equal values. Encoded bytes will not do: V8's structured clone writes a whole number as an integer or as
 * a double depending on what the same object held before, so equal results of different models can differ in bytes.
 * This walks the value itself.
 */
import { createHash, type Hash } from 'node:crypto';

/** SHA-256, in hex, over values in the order given. */
export function digestValues(values: Iterable<unknown>): string {
  const hash = createHash('sha256');
  for (const value of values) add(hash, value);
  return hash.digest('hex');
}

/** Each kind of value begins with a mark of its own, and what has parts with their number: no two walks look alike. */
function add(hash: Hash, value: unknown): void {
  switch (typeof value) {
    case 'number':
      return addNumber(hash, value);
    case 'string':
      return addText(hash, 's', value);
    case 'object':
      return value === null ? void hash.update('null;') : addObject(hash, value);
    default:
      return addText(hash, typeof value, String(value));
  }
}

function addNumber(hash: Hash, value: number): void {
  const bytes = Buffer.alloc(9, 'n');
  bytes.writeDoubleLE(value, 1);
  hash.update(bytes);
}

function addText(hash: Hash, mark: string, text: string): void {
  hash.update(`${mark}${Buffer.byteLength(text)};${text}`);
}

function addObject(hash: Hash, value: object): void {
  if (ArrayBuffer.isView(value)) {
    hash.update(`${value.constructor.name}${value.byteLength};`);
    hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (value instanceof ArrayBuffer) {
    add(hash, new Uint8Array(value));
  } else if (Array.isArray(value)) {
    addParts(hash, 'a', value);
  } else if (value instanceof Map) {
    addParts(hash, 'm', [...value].flat());
  } else if (value instanceof Set) {
    addParts(hash, 't', [...value]);
  } else if (value instanceof Date || value instanceof RegExp || value instanceof Error) {
    addText(hash, value.constructor.name, value instanceof Date ? value.toISOString() : String(value));
  } else {
    addParts(hash, 'o', Object.entries(value).flat());
  }
}

function addParts(hash: Hash, mark: string, parts: readonly unknown[]): void {
  hash.update(`${mark}${parts.length};`);
  for (const part of parts) add(hash, part);
}
