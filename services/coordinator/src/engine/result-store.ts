/**
 * The results of one run: packs as the nodes sent them, in the order of their commits. Opened by nobody here.
 * Costs memory by what is not written to disk yet, never by the number of tasks or parts.
 */
import { ByteLog, type Shelf } from './byte-log.ts';

export interface StoredResults {
  readonly from: number;
  readonly to: number;
  /** A pack. */
  readonly results: Uint8Array;
}

// `from`, `to` and the pack's length.
const HEADER_BYTES = 24;

export class ResultStore {
  readonly #log: ByteLog;
  #dropped = false;

  constructor(shelf: Shelf, onFailed: (error: Error) => void) {
    this.#log = new ByteLog(shelf, onFailed);
  }

  get bytes(): number {
    return this.#dropped ? 0 : this.#log.size;
  }

  get bytesInMemory(): number {
    return this.#dropped ? 0 : this.#log.bytesInMemory;
  }

  get bytesOnDisk(): number {
    return this.#dropped ? 0 : this.#log.bytesOnDisk;
  }

  /** Dropped to make room: they can no longer be read. */
  get dropped(): boolean {
    return this.#dropped;
  }

  add({ from, to, results }: StoredResults): void {
    if (this.#dropped) return;
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeDoubleLE(from, 0);
    header.writeDoubleLE(to, 8);
    header.writeDoubleLE(results.byteLength, 16);
    this.#log.append(header);
    this.#log.append(results);
  }

  /**
   * The part at a place in the log: 0 for the first, then where the one before says the next is.
   * Undefined where there is none yet.
   */
  read(place: number): { readonly part: StoredResults; readonly next: number } | undefined {
    if (this.#dropped || place >= this.#log.size) return undefined;
    const header = Buffer.from(this.#log.read(place, HEADER_BYTES));
    const [from, to, bytes] = [header.readDoubleLE(0), header.readDoubleLE(8), header.readDoubleLE(16)];
    const start = place + HEADER_BYTES;
    return { part: { from, to, results: this.#log.read(start, bytes) }, next: start + bytes };
  }

  /** Begins to move them to disk; drops them where that cannot be. */
  spillOrDrop(): void {
    if (this.#dropped) return;
    this.#log.spill();
    if (this.#log.failed) this.drop();
  }

  drop(): void {
    this.#dropped = true;
    this.#log.close();
  }
}
