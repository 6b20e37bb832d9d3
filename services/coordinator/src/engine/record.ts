/** What a step leaves behind: enough to live it again, and to find out whether it comes out the same. */
import { RegattaError } from '@regatta/kernel';
import type { Effect, Event } from '@regatta/scheduler';
import type { Said } from './bookkeeping.ts';
import type { Introduction } from './fleet.ts';
import type { ResultStore, StoredResults } from './result-store.ts';
import type { RunInputs } from './run-inputs.ts';
import type { RunRecord, RunRequest } from './run-record.ts';

export interface Entry {
  /** On the engine's clock. */
  readonly at: number;
  readonly event: Event;
  readonly effects: readonly Effect[];
  /** The report that the event is about, without its results. */
  readonly said?: Said;
  /** Of a run that is submitted. */
  readonly submission?: { readonly request: RunRequest; readonly hasInputs: boolean; readonly submittedAt: number };
  /** Of a node that joins. */
  readonly introduction?: Introduction;
  /** What the step commits, by run. */
  readonly results: readonly (StoredResults & { readonly runId: string })[];
}

/** Where entries go before what they say counts for anybody outside. */
export interface Recorder {
  /** Whether what is recorded outlives this process. */
  readonly durable: boolean;
  /** Why nothing is recorded just now, in one line. */
  readonly complaint: string | undefined;
  /** Takes entries in order, and calls back in that order, each once it is safe. */
  record(entry: Entry, then: () => void): void;
  /** Resolves when all that was recorded so far is safe. @throws RegattaError where it never will be */
  settled(): Promise<void>;
  /** Keeps the inputs of a run that is about to be submitted. */
  keepInputs(runId: string, inputs: RunInputs): Promise<void>;
  /** A run is over, and what is known of it will not change. */
  ended(run: RunRecord): void;
  /** A run is known no longer; or its results are not. */
  forgotten(runId: string, what: 'run' | 'results'): void;
  /** Fills a store with the results of a run that ended in an earlier life. */
  fetchResults(runId: string, store: ResultStore): Promise<void>;
  /** Lives a run's events again. @throws RegattaError NO_JOURNAL, NOT_RECORDED */
  replay(runId: string): Promise<Replay>;
  /** Nothing more is recorded. Resolves when all that was is safe, or never will be. */
  finish(): Promise<void>;
  /** Gives up what is not safe. */
  end(): void;
}

/** What came of living a run's events again. */
export interface Replay {
  readonly events: number;
  readonly eventsBefore: number;
  readonly effects: number;
  readonly digest: number;
  readonly identical: boolean;
  /** Where the first difference is; empty where there is none. */
  readonly difference: string;
  readonly ended: boolean;
}

/** Nothing outlives the process. */
export const unrecorded: Recorder = {
  durable: false,
  complaint: undefined,
  record: (_, then) => then(),
  settled: () => Promise.resolve(),
  keepInputs: () => Promise.resolve(),
  ended: () => {},
  finish: () => Promise.resolve(),
  end: () => {},
  forgotten: () => {},
  fetchResults: () => Promise.resolve(),
  replay: () => {
    const message = 'this coordinator has no journal, so nothing was recorded; start it with --nats';
    return Promise.reject(new RegattaError('NO_JOURNAL', message));
  },
};
