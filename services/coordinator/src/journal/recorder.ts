/**
 * Writes the engine's steps to the journal, many in one record, and says when they are safe there.
 *
 * - R1: results are written before the record of the steps that commit them; what a coordinator that dies in between
 *   leaves behind is no part of any step, and is removed by its successor.
 * - R2: steps are safe in their order. Those that a full journal refuses are written again, in that order, until there
 *   is room.
 * - R3: every so often all of the engine is written down, so that a successor need not live its whole life again.
 */
import type { RegattaError } from '@regatta/kernel';
import type { Entry, Recorder, Replay } from '../engine/record.ts';
import type { ResultStore, StoredResults } from '../engine/result-store.ts';
import { dumpOf, dumpRuns, type EngineDump, type Insides, type StoredEntry, storedOf } from '../engine/revival.ts';
import type { RunInputs } from '../engine/run-inputs.ts';
import type { RunRecord } from '../engine/run-record.ts';
import { bytesOfEntries, bytesOfResults, bytesOfRun, bytesOfSnapshot } from './codec.ts';
import { limits } from './limits.ts';
import type { JournalLog } from './log.ts';
import { replayRun } from './replay.ts';
import { readResults } from './results.ts';

export interface RecorderOptions {
  readonly log: JournalLog;
  readonly insides: Insides;
  /** Nothing more will be safe: another coordinator writes, or the journal is gone. Called once. */
  readonly onLost: (error: RegattaError) => void;
  /** The journal is full, and there are no results of ended runs left to be given up. */
  readonly onNoRoom: () => void;
  /** News for the log, in a line. */
  readonly onTrouble: (line: string) => void;
  /** Of steps, after which all of the engine is written down. */
  readonly bytesPerSnapshot: number;
}

/** Steps that are written together. */
class Batch {
  readonly entries: StoredEntry[] = [];
  readonly thens: (() => void)[] = [];
  readonly results = new Map<string, StoredResults[]>();
  resultBytes = 0;
  /** The engine behind the last of them, where it is to be written down. */
  dump: EngineDump | undefined;
}

export class JournalRecorder implements Recorder {
  readonly durable = true;
  readonly #options: RecorderOptions;
  #batch: Batch | undefined;
  /** Written, and not known to be safe. */
  #unsettled: Batch[] = [];
  #waiters: { readonly batch: Batch; readonly done: PromiseWithResolvers<void> }[] = [];
  #flushedAt = Number.NEGATIVE_INFINITY;
  #bytesSinceDump = 0;
  /** Of the snapshots that the journal has, oldest first: what each covers. */
  readonly #snapshots: number[];
  /** Why the last was refused: what follows waits until it is written again. */
  #refusal: string | undefined;
  #lost: RegattaError | undefined;

  /** @param snapshots what those in the journal cover */
  constructor(options: RecorderOptions, snapshots: readonly number[]) {
    this.#options = options;
    this.#snapshots = [...snapshots];
  }

  get complaint(): string | undefined {
    const waiting = this.#refusal ?? this.#options.log.waiting;
    return waiting === undefined ? undefined : `the journal waits: ${waiting}`;
  }

  record(entry: Entry, then: () => void): void {
    this.#batch ??= this.#begin();
    const batch = this.#batch;
    batch.entries.push(storedOf(entry));
    batch.thens.push(then);
    for (const { runId, ...part } of entry.results) {
      const parts = batch.results.get(runId);
      if (parts === undefined) batch.results.set(runId, [part]);
      else parts.push(part);
      batch.resultBytes += part.results.byteLength;
    }
    if (batch.resultBytes >= limits.batchBytes) this.#flush();
  }

  settled(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const batch = this.#batch ?? this.#unsettled.at(-1);
    if (batch === undefined) return Promise.resolve();
    const done = Promise.withResolvers<void>();
    this.#waiters.push({ batch, done });
    return done.promise;
  }

  async keepInputs(runId: string, inputs: RunInputs): Promise<void> {
    for (const part of inputs.parts()) {
      await this.#options.log.drained();
      // Whoever waits for the run to be safe waits for these, too: they are before it.
      this.#options.log.append(`inputs.${runId}`, part).catch(() => {});
    }
  }

  ended(run: RunRecord): void {
    this.#options.log.append(`ended.${run.id}`, bytesOfRun(run.dump())).catch(() => {});
    if (run.hasInputs) this.#forget(`inputs.${run.id}`);
  }

  forgotten(runId: string, what: 'run' | 'results'): void {
    this.#forget(`results.${runId}`);
    if (what === 'run') this.#forget(`ended.${runId}`);
  }

  async fetchResults(runId: string, store: ResultStore): Promise<void> {
    await readResults(this.#options.log, runId, store);
  }

  replay(runId: string): Promise<Replay> {
    const { log, insides } = this.#options;
    return replayRun(log, runId, insides.history.get(runId).submittedAt);
  }

  #forget(kind: string): void {
    this.#options.log.purge({ kind }).catch(() => {});
  }

  #begin(): Batch {
    // At once after a pause; but a record for each of many steps would be most of their cost.
    const waitMs = this.#flushedAt + limits.gatherMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), waitMs);
    return new Batch();
  }

  #flush(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#lost !== undefined) return;
    this.#batch = undefined;
    this.#flushedAt = performance.now();
    if (this.#bytesSinceDump >= this.#options.bytesPerSnapshot) {
      batch.dump = dumpOf(this.#options.insides);
      this.#bytesSinceDump = 0;
    }
    this.#unsettled.push(batch);
    if (this.#refusal === undefined) this.#write(batch);
  }

  #write(batch: Batch): void {
    const { log, insides } = this.#options;
    // R1. What becomes of them is known by the record that follows.
    for (const [runId, parts] of batch.results) {
      if (insides.history.find(runId)?.results.dropped === true) continue;
      const written = (): boolean => batch.results.delete(runId);
      log.append(`results.${runId}`, bytesOfResults(parts)).then(written, () => {});
    }
    const bytes = bytesOfEntries(batch.entries);
    this.#bytesSinceDump += bytes.byteLength;
    log.append('events', bytes).then(
      (sequence) => this.#safe(batch, sequence),
      (error: RegattaError) => this.#refused(error),
    );
  }

  #safe(batch: Batch, sequence: number): void {
    if (this.#unsettled[0] !== batch) return;
    this.#unsettled.shift();
    for (const then of batch.thens) then();
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.batch === batch) waiter.done.resolve();
      return waiter.batch !== batch;
    });
    if (batch.dump !== undefined) this.#snapshot(batch.dump, sequence);
  }

  /** The books are now as far as the dump. */
  #snapshot(engine: EngineDump, covers: number): void {
    const { log, insides, onTrouble } = this.#options;
    log.append('snapshot', bytesOfSnapshot({ covers, engine, runs: dumpRuns(insides) })).then(
      (sequence) => {
        this.#snapshots.push(covers);
        while (this.#snapshots.length > limits.snapshotsKept) this.#snapshots.shift();
        // What is before the oldest that is kept has been lived often enough.
        const before = this.#snapshots[0]! + 1;
        if (this.#snapshots.length < limits.snapshotsKept) return;
        for (const kind of ['events', 'snapshot']) {
          const oldest = kind === 'events' ? before : Math.min(sequence, before);
          log.purge({ kind, before: oldest }).catch(() => {});
        }
      },
      (error: Error) => onTrouble(`the journal took no snapshot: ${error.message}`),
    );
  }

  #refused(error: RegattaError): void {
    if (this.#lost !== undefined || this.#refusal !== undefined) return;
    if (error.code === 'JOURNAL_FULL') this.#makeRoom(error);
    if (error.code === 'JOURNAL_FULL' || error.code === 'JOURNAL_BEHIND') return this.#writeAgain(error);
    this.#lost = error;
    for (const { done } of this.#waiters) done.reject(error);
    this.#waiters = [];
    this.#options.onLost(error);
  }

  #makeRoom({ message }: RegattaError): void {
    this.#options.onTrouble(message);
    const dropped = this.#options.insides.history.dropOldestResults(limits.fullDropRuns);
    if (dropped === 0) this.#options.onNoRoom();
  }

  /** R2. */
  #writeAgain({ message }: RegattaError): void {
    this.#refusal = message;
    setTimeout(() => {
      this.#refusal = undefined;
      for (const batch of this.#unsettled) this.#write(batch);
    }, limits.fullRetryMs).unref();
  }
}
