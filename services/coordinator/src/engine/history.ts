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

  readonly #onForgotten: (runId: string, what: 'run' | 'results') => void;

  /** @param onForgotten told of each run that is remembered no longer, or whose results are dropped */
  constructor(shelf: Shelf, onForgotten: (runId: string, what: 'run' | 'results') => void = () => {}) {
    this.#shelf = shelf;
    this.#onForgotten = onForgotten;
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

  /** To be called where runs were added in another order than they came and went. */
  sort(): void {
    const runs = [...this.#runs.values()].sort((a, b) => a.submittedAt - b.submittedAt);
    this.#runs.clear();
    for (const run of runs) this.#runs.set(run.id, run);
    const ended = [...this.#ended].sort((a, b) => a.endedAt - b.endedAt);
    this.#ended.clear();
    for (const run of ended) this.#ended.add(run);
  }

  /** Drops the results of the oldest runs that have some, to make room elsewhere. @returns of how many */
  dropOldestResults(runs: number): number {
    let dropped = 0;
    for (const run of this.#ended) {
      if (dropped >= runs) break;
      if (run.results.dropped) continue;
      this.#drop(run);
      dropped++;
    }
    return dropped;
  }

  /**
   * Drops those of the run that goes on and has most of them.
   * @param waiting by run, bytes of results that are not here yet
   * @returns its id; undefined where no run has any
   */
  dropLargestResults(waiting: ReadonlyMap<string, number>): string | undefined {
    let largest: RunRecord | undefined;
    let most = 0;
    for (const run of this.#runs.values()) {
      const bytes = run.results.bytes + (waiting.get(run.id) ?? 0);
      if (run.ended || run.results.dropped || bytes <= most) continue;
      [largest, most] = [run, bytes];
    }
    if (largest !== undefined) this.#drop(largest);
    return largest?.id;
  }

  #drop(run: RunRecord): void {
    run.results.drop();
    this.#onForgotten(run.id, 'results');
  }

  /** Forgets all, with nothing left in files. */
  close(): void {
    for (const run of this.#runs.values()) {
      run.results.drop();
      run.inputs?.drop();
    }
  }

  /** Newest first. */
  list(): RunRecord[] {
    return [...this.#runs.values()].reverse();
  }

  /** One that ended in an earlier life. All of them are to be there before the oldest are forgotten: see `trim`. */
  addEnded(run: RunRecord): void {
    this.#runs.set(run.id, run);
    this.#ended.add(run);
    this.#causeCharacters += run.causeCharacters;
  }

  ended(run: RunRecord): void {
    this.#ended.add(run);
    this.#causeCharacters += run.causeCharacters;
    this.trim();
  }

  /** Forgets the oldest runs beyond what is remembered. */
  trim(): void {
    this.#shortenCauses();
    for (const oldest of this.#ended) {
      if (this.#ended.size <= limits.endedRunsMax) break;
      this.#ended.delete(oldest);
      this.#runs.delete(oldest.id);
      this.#causeCharacters -= oldest.causeCharacters;
      oldest.results.drop();
      this.#onForgotten(oldest.id, 'run');
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
      this.#drop(run);
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
