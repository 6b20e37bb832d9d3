/** What a step leaves behind: enough to live it again, and to find out whether it comes out the same. */
import type { Effect, Event } from '@regatta/scheduler';
import type { Said } from './bookkeeping.ts';
import type { Introduction } from './fleet.ts';
import type { StoredResults } from './result-store.ts';
import type { RunRequest } from './run-record.ts';

export interface Entry {
  /** On the engine's clock. */
  readonly at: number;
  readonly event: Event;
  readonly effects: readonly Effect[];
  /** The report that the event is about, without its results. */
  readonly said?: Said;
  /** Of a run that is submitted. */
  readonly request?: RunRequest;
  /** Of a node that joins. */
  readonly introduction?: Introduction;
  /** What the step commits, by run. */
  readonly results: readonly (StoredResults & { readonly runId: string })[];
}

/** Where entries go before what they say counts for anybody outside. */
export interface Recorder {
  /** Takes entries in order, and calls back in that order, each once it is safe. */
  record(entry: Entry, then: () => void): void;
  /** Resolves when all that was recorded so far is safe. */
  settled(): Promise<void>;
}

/** Nothing outlives the process. */
export const unrecorded: Recorder = { record: (_, then) => then(), settled: () => Promise.resolve() };
