/** The results of one run: packs as the nodes sent them, in the order of their commits. Opened by nobody here. */
export interface StoredResults {
  readonly from: number;
  readonly to: number;
  /** A pack. */
  readonly results: Uint8Array;
}

export class ResultStore {
  readonly #parts: StoredResults[] = [];
  #bytes = 0;
  #dropped = false;

  get bytes(): number {
    return this.#bytes;
  }

  /** Dropped to make room: they can no longer be read. */
  get dropped(): boolean {
    return this.#dropped;
  }

  add(part: StoredResults): void {
    this.#parts.push(part);
    this.#bytes += part.results.byteLength;
  }

  /** The n-th part, by commit; undefined where there are not that many yet. */
  part(n: number): StoredResults | undefined {
    return this.#parts[n];
  }

  drop(): void {
    this.#parts.length = 0;
    this.#bytes = 0;
    this.#dropped = true;
  }
}
