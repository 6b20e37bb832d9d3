/** Who is told of what an engine does, as it does it; nobody, unless somebody asks for metrics. Must not throw. */
import type { Timing } from '../engine/bookkeeping.ts';
import type { Entry } from '../engine/record.ts';

export interface Observer {
  /** What an earlier life of the engine left behind goes on from here. */
  begins(): void;
  /** A step was taken; what it means may not be safe yet. @param ms that the scheduler took */
  stepped(entry: Entry, ms: number): void;
  /** It is safe, and in the books. @param timing of the report that it is about */
  isSafe(entry: Entry, timing: Timing | undefined): void;
  /** A node told what was told before. */
  duplicate(runId: string): void;
  /** A failure came after the result of its task. */
  failedLate(runId: string): void;
}

/** Likewise, of a journal. */
export interface JournalObserver {
  wrote(kind: 'events' | 'results' | 'ended' | 'inputs' | 'snapshot', bytes: number): void;
  /** @param ms since the steps were written */
  stored(ms: number): void;
  storedSnapshot(): void;
  refused(): void;
}
