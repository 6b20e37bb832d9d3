/**
 * Writes the engine's steps to the journal, many in one record, and says when they are safe there.
 *
 * - R1: results are written before the record of the steps that commit them; what a coordinator that dies in between
 *   leaves behind is no part of any step, and is removed by its successor.
 * - R2: steps are safe in their order, and each is in the journal once. Those that a full journal refuses are written
 *   again, in that order, when there is room.
 * - R3: every so often all of the engine is written down, so that a successor need not live its whole life again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import type { Entry, Recorder, Replay } from '../engine/record.ts';
import type { ResultStore, StoredResults } from '../engine/result-store.ts';
import { dumpOf, dumpRuns, type EngineDump, type Insides, type StoredEntry, storedOf } from '../engine/revival.ts';
import type { RunInputs } from '../engine/run-inputs.ts';
import type { RunRecord } from '../engine/run-record.ts';
import type { JournalObserver } from '../observe/observer.ts';
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
  /**
   * The journal is full, and there are no results of ended runs left to be given up.
   * @param waiting by run, bytes of results that wait for room
   */
  readonly onNoRoom: (waiting: ReadonlyMap<string, number>) => void;
  /** Why NATS cannot be reached just now. */
  readonly away: () => string | undefined;
  /** News for the log, in a line. */
  readonly onTrouble: (line: string) => void;
  /** Of steps, after which all of the engine is written down. */
  readonly bytesPerSnapshot: number;
  readonly observer?: JournalObserver | undefined;
}

/** Steps that are written together, and what belongs before them. */
class Batch {
  readonly entries: StoredEntry[] = [];
  readonly thens: (() => void)[] = [];
  /** By run; those that are stored already are gone. */
  readonly results = new Map<string, StoredResults[]>();
  /** Runs whose books are closed; likewise. */
  readonly ended = new Set<RunRecord>();
  resultBytes = 0;
  /** The engine behind the last of them, where it is to be written down. */
  dump: EngineDump | undefined;
  /** The log has it. */
  written = false;
}

export class JournalRecorder implements Recorder {
  readonly durable = true;
  readonly #options: RecorderOptions;
  #batch: Batch | undefined;
  /** Not known to be safe, in their order. */
  #unsettled: Batch[] = [];
  #waiters: { readonly batch: Batch; readonly done: PromiseWithResolvers<void> }[] = [];
  #flushedAt = Number.NEGATIVE_INFINITY;
  #bytesSinceDump = 0;
  /** Of the snapshots that the journal has, oldest first: what each covers. */
  readonly #snapshots: number[];
  /** Why the last was refused: what follows waits until it is written again. */
  #refusal: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Of refusals: what was written before one is answered in vain. */
  #round = 0;
  #draining = false;
  #lost: RegattaError | undefined;
  /** What is asked of it from now on is never recorded. */
  #finished = false;

  /** @param snapshots what those in the journal cover */
  constructor(options: RecorderOptions, snapshots: readonly number[]) {
    this.#options = options;
    this.#snapshots = [...snapshots];
  }

  get complaint(): string | undefined {
    const waiting = this.#refusal ?? this.#options.log.waiting ?? this.#options.away();
    return waiting === undefined ? undefined : `the journal waits: ${waiting}`;
  }

  record(entry: Entry, then: () => void): void {
    const batch = this.#open();
    batch.entries.push(storedOf(entry));
    batch.thens.push(then);
    for (const { runId, ...part } of entry.results) {
      const parts = batch.results.get(runId);
      if (parts === undefined) batch.results.set(runId, [part]);
      else parts.push(part);
      batch.resultBytes += part.results.byteLength;
    }
    // Not at once: the step is not over, and a dump in the midst of it would be neither before nor behind it.
    if (batch.resultBytes >= limits.batchBytes) queueMicrotask(() => this.#flush(batch));
  }

  settled(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (this.#finished) return Promise.reject(closed());
    const batch = this.#batch ?? this.#unsettled.at(-1);
    if (batch === undefined) return Promise.resolve();
    const done = Promise.withResolvers<void>();
    this.#waiters.push({ batch, done });
    return done.promise;
  }

  async keepInputs(runId: string, inputs: RunInputs): Promise<void> {
    for (const part of inputs.parts()) {
      await this.#options.log.drained();
      await this.#appendInRoom(`inputs.${runId}`, part);
      this.#options.observer?.wrote('inputs', part.byteLength);
    }
  }

  ended(run: RunRecord): void {
    this.#open().ended.add(run);
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

  async finish(): Promise<void> {
    const settled = this.settled().catch(() => {});
    this.#finished = true;
    await settled;
  }

  end(): void {
    clearTimeout(this.#retry);
    this.#give(closed());
  }

  #forget(kind: string): void {
    this.#options.log.purge({ kind }).catch(() => {});
  }

  #open(): Batch {
    if (this.#batch !== undefined) return this.#batch;
    const batch = new Batch();
    this.#batch = batch;
    // At once after a pause; but a record for each of many steps would be most of their cost.
    const waitMs = this.#flushedAt + limits.gatherMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#flush(batch));
    else setTimeout(() => this.#flush(batch), waitMs);
    return batch;
  }

  #flush(batch: Batch): void {
    if (batch !== this.#batch || this.#lost !== undefined) return;
    this.#batch = undefined;
    this.#flushedAt = performance.now();
    if (this.#bytesSinceDump >= this.#options.bytesPerSnapshot) {
      batch.dump = dumpOf(this.#options.insides);
      this.#bytesSinceDump = 0;
    }
    this.#unsettled.push(batch);
    this.#pump();
  }

  /** Gives the log what it has room for: what it refused for want of room would be missing among what it took. */
  #pump(): void {
    if (this.#lost !== undefined || this.#refusal !== undefined || this.#draining) return;
    for (const batch of this.#unsettled) {
      if (batch.written) continue;
      if (this.#options.log.pendingBytes > limits.pipelineBytesMax) return void this.#pumpLater();
      this.#write(batch);
    }
  }

  async #pumpLater(): Promise<void> {
    this.#draining = true;
    await this.#options.log.drained();
    this.#draining = false;
    this.#pump();
  }

  #write(batch: Batch): void {
    const { log, insides, observer } = this.#options;
    const round = this.#round;
    const writtenAt = performance.now();
    batch.written = true;
    // R1. What becomes of them is known by the record that follows.
    for (const [runId, parts] of batch.results) {
      if (insides.history.find(runId)?.results.dropped === true) continue;
      const bytes = bytesOfResults(parts);
      observer?.wrote('results', bytes.byteLength);
      log.append(`results.${runId}`, bytes).then(
        () => batch.results.delete(runId),
        () => {},
      );
    }
    for (const run of batch.ended) {
      const bytes = bytesOfRun(run.dump());
      observer?.wrote('ended', bytes.byteLength);
      log.append(`ended.${run.id}`, bytes).then(
        () => batch.ended.delete(run),
        () => {},
      );
    }
    const bytes = bytesOfEntries(batch.entries);
    this.#bytesSinceDump += bytes.byteLength;
    observer?.wrote('events', bytes.byteLength);
    log.append('events', bytes).then(
      (sequence) => {
        observer?.stored(performance.now() - writtenAt);
        this.#safe(batch, sequence);
      },
      (error: RegattaError) => this.#refused(error, round),
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
    const { log, insides, onTrouble, observer } = this.#options;
    // Those that have just ended are in no snapshot of the scheduler any more, and not written by themselves yet.
    const ended = [...this.#unsettled, ...(this.#batch ? [this.#batch] : [])].flatMap((batch) => [...batch.ended]);
    const runs = [...dumpRuns(insides, engine), ...ended.map((run) => run.dump())];
    const bytes = bytesOfSnapshot({ covers, engine, runs });
    observer?.wrote('snapshot', bytes.byteLength);
    log.append('snapshot', bytes).then(
      () => {
        observer?.storedSnapshot();
        this.#snapshots.push(covers);
        while (this.#snapshots.length > limits.snapshotsKept) this.#snapshots.shift();
        if (this.#snapshots.length < limits.snapshotsKept) return;
        // What is before the oldest that is kept has been lived often enough.
        for (const kind of ['events', 'snapshot']) log.purge({ kind, before: this.#snapshots[0]! + 1 }).catch(() => {});
      },
      (error: Error) => onTrouble(`the journal took no snapshot: ${error.message}`),
    );
  }

  #refused(error: RegattaError, round: number): void {
    if (this.#lost !== undefined || round !== this.#round) return;
    if (error.code !== 'JOURNAL_FULL') return this.#lose(error);
    this.#options.observer?.refused();
    // R2. The log has dropped what came behind it as well.
    this.#round++;
    for (const batch of this.#unsettled) batch.written = false;
    this.#refusal = error.message;
    this.#makeRoom(error);
    this.#retry = setTimeout(() => {
      this.#refusal = undefined;
      this.#pump();
    }, limits.fullRetryMs).unref();
  }

  /** @throws RegattaError JOURNAL_FULL where no room could be made */
  async #appendInRoom(kind: string, body: Uint8Array): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#options.log.append(kind, body);
        return;
      } catch (thrown) {
        const full = thrown instanceof RegattaError && thrown.code === 'JOURNAL_FULL';
        if (!full || tries >= limits.inputTriesMax) throw thrown;
        this.#makeRoom(thrown);
        await sleep(limits.fullRetryMs);
      }
    }
  }

  #makeRoom({ message }: RegattaError): void {
    this.#options.onTrouble(message);
    const dropped = this.#options.insides.history.dropOldestResults(limits.fullDropRuns);
    if (dropped > 0) return;
    const waiting = new Map<string, number>();
    for (const { results } of this.#unsettled) {
      for (const [runId, parts] of results) {
        const bytes = parts.reduce((sum, part) => sum + part.results.byteLength, 0);
        waiting.set(runId, (waiting.get(runId) ?? 0) + bytes);
      }
    }
    this.#options.onNoRoom(waiting);
  }

  #lose(error: RegattaError): void {
    this.#give(error);
    this.#options.onLost(error);
  }

  #give(error: RegattaError): void {
    this.#lost ??= error;
    for (const { done } of this.#waiters) done.reject(error);
    this.#waiters = [];
  }
}

const closed = (): RegattaError => new RegattaError('JOURNAL_CLOSED', 'this coordinator leads no more');
