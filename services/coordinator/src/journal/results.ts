import type { ResultStore } from '../engine/result-store.ts';
import { resultsIn } from './codec.ts';
import type { JournalLog } from './log.ts';

/** Fills a store with what a run has committed. A journal that was full may have some of it twice. */
export async function readResults(log: JournalLog, runId: string, store: ResultStore): Promise<void> {
  const seen = new Set<number>();
  for await (const { body } of log.read({ kind: `results.${runId}` })) {
    for (const part of resultsIn(body)) {
      if (!seen.has(part.from)) store.add(part);
      seen.add(part.from);
    }
  }
}
