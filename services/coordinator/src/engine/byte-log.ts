/**
 * An append-only log of bytes: the newest in memory, the rest in a file that nobody else sees and that is gone when this
 * process is, however it ends.
 *
 * - B1: what was appended can be read at once and for ever, wherever it lies by then.
 * - B2: all logs together hold at most twice `memoryBytesMax` in memory, and what is too little to be worth a write:
 *   writing is asynchronous up to there, and waited for beyond.
 * - B3: a write that fails loses nothing that is in memory, and is told once.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, unlinkSync, writev, writevSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '@regatta/kernel';
import { limits } from './limits.ts';

/** A buffer is kept whole for a part of it that is not much smaller. */
const WASTE_MAX = 1.1;

/** Sums over all logs, and where their files are. */
export class Shelf {
  readonly directory: string;
  /** While all logs together have more in memory, those that are appended to write; from twice as much on at once. */
  readonly memoryBytesMax: number;
  memoryBytes = 0;
  diskBytes = 0;

  constructor(directory: string, memoryBytesMax: number) {
    this.directory = directory;
    this.memoryBytesMax = memoryBytesMax;
  }
}

interface Block {
  readonly position: number;
  readonly bytes: Buffer;
  used: number;
  state: 'open' | 'writing';
}

/** The bytes without much else: a small part of a message would keep all of it in memory. */
function ownOf(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = bytes;
  const view = Buffer.from(buffer, byteOffset, byteLength);
  return buffer.byteLength > WASTE_MAX * byteLength ? Buffer.from(view) : view;
}

export class ByteLog {
  readonly #shelf: Shelf;
  readonly #onFailed: (error: Error) => void;
  /** In memory, by position; what is missing between them is in the file. */
  #blocks: Block[] = [];
  #size = 0;
  #inMemory = 0;
  #writtenEnd = 0;
  #file: number | undefined;
  #writing = false;
  #failed = false;
  #closed = false;

  /** @param onFailed called once, where the file cannot be made or written */
  constructor(shelf: Shelf, onFailed: (error: Error) => void) {
    this.#shelf = shelf;
    this.#onFailed = onFailed;
  }

  /** Bytes appended. */
  get size(): number {
    return this.#size;
  }

  /** Nothing more of it can be written: what is in memory stays there. */
  get failed(): boolean {
    return this.#failed;
  }

  get bytesInMemory(): number {
    return this.#inMemory;
  }

  get bytesOnDisk(): number {
    return this.#size - this.#inMemory;
  }

  /** Takes over large buffers as they are; they must not change any more. */
  append(bytes: Uint8Array): void {
    assert(!this.#closed, 'appended to a closed log');
    const { byteLength } = bytes;
    if (byteLength >= limits.logBlockBytesMax) {
      this.#push(ownOf(bytes), byteLength);
    } else {
      let tail = this.#blocks.at(-1);
      if (tail === undefined || tail.state !== 'open' || tail.bytes.byteLength - tail.used < byteLength) {
        const before = tail?.bytes.byteLength ?? 0;
        const size = Math.max(
          byteLength,
          Math.min(limits.logBlockBytesMax, Math.max(limits.logBlockBytesMin, 2 * before)),
        );
        tail = this.#push(Buffer.allocUnsafeSlow(size), 0);
      }
      tail.bytes.set(bytes, tail.used);
      tail.used += byteLength;
    }
    this.#size += byteLength;
    this.#count(byteLength, 0);
    const { memoryBytes, memoryBytesMax } = this.#shelf;
    if (memoryBytes <= memoryBytesMax || this.#inMemory < limits.logWriteBytesMin) return;
    if (memoryBytes > 2 * memoryBytesMax) this.#writeNow();
    else this.spill();
  }

  /** What was appended at [position, position + length) by one call. */
  read(position: number, length: number): Uint8Array {
    assert(position + length <= this.#size && !this.#closed, 'read past the end of a log');
    const block = this.#blockAt(position);
    if (block !== undefined) return block.bytes.subarray(position - block.position, position - block.position + length);
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const got = readSync(this.#file!, bytes, done, length - done, position + done);
      assert(got > 0, 'a log is shorter than it was written');
      done += got;
    }
    return bytes;
  }

  /** Begins to move what is in memory to the file. */
  spill(): void {
    if (this.#writing || this.#failed) return;
    const blocks = this.#blocks.filter(({ state }) => state === 'open');
    if (blocks.length === 0) return;
    const file = this.#open();
    if (file === undefined) return;
    this.#writing = true;
    for (const block of blocks) block.state = 'writing';
    const position = blocks[0]!.position;
    const buffers = blocks.map(({ bytes, used }) => bytes.subarray(0, used));
    writev(file, buffers, position, (error, written) => {
      this.#writing = false;
      if (this.#closed) return closeSync(file);
      const whole = blocks.reduce((sum, { used }) => sum + used, 0);
      if (error === null && written === whole) return this.#written(blocks);
      this.#fail(error ?? new Error(`no room: only ${written} of ${whole} bytes could be written`));
    });
  }

  /** Lets go of everything. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#count(-this.#inMemory, -(this.#size - this.#inMemory));
    this.#blocks = [];
    // Under a write that goes on the file must stay open.
    if (this.#file !== undefined && !this.#writing) closeSync(this.#file);
  }

  #push(bytes: Buffer, used: number): Block {
    const block: Block = { position: this.#size, bytes, used, state: 'open' };
    this.#blocks.push(block);
    return block;
  }

  #blockAt(position: number): Block | undefined {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const block = this.#blocks[middle]!;
      if (position < block.position) high = middle - 1;
      else if (position >= block.position + block.used) low = middle + 1;
      else return block;
    }
    return undefined;
  }

  #writeNow(): void {
    const blocks = this.#blocks.filter(({ state }) => state === 'open');
    const file = this.#failed ? undefined : this.#open();
    if (file === undefined || blocks.length === 0) return;
    try {
      for (const { bytes, used, position } of blocks) {
        for (let done = 0; done < used; ) done += writevSync(file, [bytes.subarray(done, used)], position + done);
      }
      this.#written(blocks);
    } catch (thrown) {
      this.#fail(thrown as Error);
    }
  }

  #written(blocks: readonly Block[]): void {
    const bytes = blocks.reduce((sum, { used }) => sum + used, 0);
    const written = new Set(blocks);
    for (const { position, used } of blocks) this.#writtenEnd = Math.max(this.#writtenEnd, position + used);
    this.#blocks = this.#blocks.filter((block) => !written.has(block));
    this.#count(-bytes, bytes);
  }

  /** Its name is gone as soon as it is open: no crash leaves it behind. */
  #open(): number | undefined {
    if (this.#file !== undefined) return this.#file;
    const path = join(this.#shelf.directory, `regatta-${randomUUID()}`);
    try {
      this.#file = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
    } catch (thrown) {
      this.#fail(thrown as Error);
    }
    return this.#file;
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#giveBackRoom();
    this.#onFailed(new Error(`${error.message} (in ${this.#shelf.directory})`));
  }

  /** What was written in part is of no use, and others may need the room. */
  #giveBackRoom(): void {
    if (this.#file === undefined) return;
    try {
      ftruncateSync(this.#file, this.#writtenEnd);
    } catch {
      // Then it stays until the log is closed.
    }
  }

  #count(memory: number, disk: number): void {
    this.#inMemory += memory;
    this.#shelf.memoryBytes += memory;
    this.#shelf.diskBytes += disk;
  }
}
