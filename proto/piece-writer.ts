/**
 * Writes protobuf messages with large `bytes` in them. Those are noted where they are and copied once, into the finished
 * message; protobuf's own writer copies them again for each message that they are nested in. The bytes that come out are
 * the same.
 */
import type { BinaryWriter } from '@bufbuild/protobuf/wire';

const PIECE_BYTES_MIN = 16_384;
const VARINT_BYTES_MAX = 10;
const UINT32_SPAN = 2 ** 32;

/** `bytes` belong after the `at` bytes of the small parts. */
interface Piece {
  at: number;
  readonly bytes: Uint8Array;
}

/** Where a nested message begins. */
interface Fork {
  readonly at: number;
  readonly piecesBytes: number;
  readonly pieces: number;
}

/** As much of BinaryWriter's interface as generated code uses. */
export class PieceWriter {
  #small = Buffer.allocUnsafe(512);
  #at = 0;
  #pieces: Piece[] = [];
  #piecesBytes = 0;
  readonly #forks: Fork[] = [];

  /** For generated code, which asks for the other writer by its name. */
  asBinaryWriter(): BinaryWriter {
    return this as unknown as BinaryWriter;
  }

  uint32(value: number): this {
    this.#reserve(VARINT_BYTES_MAX);
    let rest = value >>> 0;
    for (; rest > 127; rest >>>= 7) this.#small[this.#at++] = (rest & 127) | 128;
    this.#small[this.#at++] = rest;
    return this;
  }

  int32(value: number): this {
    return value >= 0 ? this.uint32(value) : this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
  }

  /** @throws RangeError for what is no whole number from 0 to 2^64 - 1 */
  uint64(value: number | string | bigint): this {
    if (typeof value === 'number' && value >= 0 && value < UINT32_SPAN && Number.isInteger(value))
      return this.uint32(value);
    const big = BigInt(value);
    if (big < 0n || big >= 1n << 64n) throw new RangeError(`invalid uint64: ${value}`);
    return this.#bigVarint(big);
  }

  bool(value: boolean): this {
    return this.uint32(value ? 1 : 0);
  }

  double(value: number): this {
    this.#reserve(8);
    this.#at = this.#small.writeDoubleLE(value, this.#at);
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.uint32(length);
    this.#reserve(length);
    this.#at += this.#small.write(value, this.#at);
    return this;
  }

  bytes(value: Uint8Array): this {
    const { byteLength } = value;
    this.uint32(byteLength);
    if (byteLength >= PIECE_BYTES_MIN) {
      this.#pieces.push({ at: this.#at, bytes: value });
      this.#piecesBytes += byteLength;
      return this;
    }
    this.#reserve(byteLength);
    this.#small.set(value, this.#at);
    this.#at += byteLength;
    return this;
  }

  /** Begins a nested message; its length is written by `join`. Most are so short that a byte is enough for it. */
  fork(): this {
    this.#forks.push({ at: this.#at, piecesBytes: this.#piecesBytes, pieces: this.#pieces.length });
    this.#reserve(1);
    this.#at++;
    return this;
  }

  join(): this {
    const fork = this.#forks.pop()!;
    const { at } = fork;
    const length = this.#at - at - 1 + (this.#piecesBytes - fork.piecesBytes);
    const wider = varintBytes(length) - 1;
    const end = this.#at + wider;
    if (wider > 0) {
      this.#reserve(wider);
      this.#small.copyWithin(at + 1 + wider, at + 1, this.#at);
      for (let i = fork.pieces; i < this.#pieces.length; i++) this.#pieces[i]!.at += wider;
    }
    this.#at = at;
    this.uint32(length);
    this.#at = end;
    return this;
  }

  finish(): Buffer {
    if (this.#pieces.length === 0) return this.#small.subarray(0, this.#at);
    const whole = Buffer.allocUnsafe(this.#at + this.#piecesBytes);
    let [from, to] = [0, 0];
    for (const { at, bytes } of this.#pieces) {
      to += this.#small.copy(whole, to, from, at);
      whole.set(bytes, to);
      to += bytes.byteLength;
      from = at;
    }
    this.#small.copy(whole, to, from, this.#at);
    return whole;
  }

  #bigVarint(value: bigint): this {
    this.#reserve(VARINT_BYTES_MAX);
    let rest = value;
    for (; rest > 127n; rest >>= 7n) this.#small[this.#at++] = Number(rest & 127n) | 128;
    this.#small[this.#at++] = Number(rest);
    return this;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#small.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#at + bytes, 2 * this.#small.byteLength));
    this.#small.copy(larger, 0, 0, this.#at);
    this.#small = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
