/** Which runs are remembered, and for how long their results are: the oldest go first. */
import { RegattaError } from '@regatta/kernel';
import type { Shelf } from './byte-log.ts';
import { limits } from './limits.ts';
import type { RunRecord } from './run-record.ts';
import { shown } from './shown.ts';

export class History {
  readonly #shelf: Shelf;
  readonly #runs = new Map<string, RunRecord>();
  /** In the order of their ends. */
  readonly #ended = new Set<RunRecord>();
  #causeCharacters = 0;

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  get size(): number {
    return this.#runs.size;
  }

  add(run: RunRecord): void {
    this.#runs.set(run.id, run);
  }

  find(runId: string): RunRecord | undefined {
    return this.#runs.get(runId);
  }

  /** @throws RegattaError NO_SUCH_RUN */
  get(runId: string): RunRecord {
    const run = this.#runs.get(runId);
    if (run === undefined) throw new RegattaError('NO_SUCH_RUN', `no run ${shown(runId)}; see regatta runs`);
    return run;
  }

  /** Newest first. */
  list(): RunRecord[] {
    return [...this.#runs.values()].reverse();
  }

  ended(run: RunRecord): void {
    this.#ended.add(run);
    this.#causeCharacters += run.causeCharacters;
    this.#shortenCauses();
    for (const oldest of this.#ended) {
      if (this.#ended.size <= limits.endedRunsMax) break;
      this.#ended.delete(oldest);
      this.#runs.delete(oldest.id);
      this.#causeCharacters -= oldest.causeCharacters;
      oldest.results.drop();
    }
    this.makeRoom();
  }

  #shortenCauses(): void {
    for (const run of this.#ended) {
      if (this.#causeCharacters <= limits.causeCharactersMax) return;
      this.#causeCharacters -= run.causeCharacters;
      run.shortenCauses();
    }
  }

  /** Moves results to disk, then drops them, until what is kept is within its limits. Those of runs that go on stay. */
  makeRoom(): void {
    const { memoryBytes, diskBytes } = this.#shelf;
    if (memoryBytes > limits.keptMemoryBytesMax) this.#spillOldest(memoryBytes - limits.keptMemoryBytesMax / 2);
    let excess = diskBytes - limits.keptDiskBytesMax;
    for (const run of this.#ended) {
      if (excess <= 0) return;
      if (run.results.bytesOnDisk === 0) continue;
      excess -= run.results.bytesOnDisk;
      run.results.drop();
    }
  }

  /** Down to half of what is allowed, so that not each small run is a write of its own. */
  #spillOldest(bytes: number): void {
    let left = bytes;
    for (const run of this.#ended) {
      if (left <= 0) return;
      left -= run.results.bytesInMemory;
      run.results.spillOrDrop();
    }
  }
}
