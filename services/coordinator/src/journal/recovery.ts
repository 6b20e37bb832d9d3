/** What an earlier coordinator left in the journal, brought back to life in an engine that has not begun. */
import { type Insides, load, loadEnded, relive } from '../engine/revival.ts';
import { RunInputs } from '../engine/run-inputs.ts';
import { entriesIn, runIn, type Snapshot, snapshotIn } from './codec.ts';
import type { JournalLog } from './log.ts';
import { readResults } from './results.ts';

export interface Recovered {
  /** What the snapshots in the journal cover, oldest first. */
  readonly snapshots: readonly number[];
  /** Steps that were lived again. */
  readonly steps: number;
  /** Ids of runs that ended among them: what is known of them may not be written yet. */
  readonly ended: readonly string[];
  /** Runs that cannot go on: some of their inputs are missing. */
  readonly broken: readonly string[];
}

/**
 * To be called by whoever has taken the journal over.
 * @throws RegattaError JOURNAL_DIFFERS, JOURNAL_UNREADABLE, SNAPSHOT_VERSION
 */
export async function recover(log: JournalLog, insides: Insides): Promise<Recovered> {
  const { snapshot, snapshots } = await lastSnapshot(log);
  if (snapshot !== undefined) load(insides, snapshot.engine, snapshot.runs);
  let last = snapshot?.covers ?? 0;
  let steps = 0;
  const ended: string[] = [];
  for await (const { sequence, body } of log.read({ kind: 'events', from: last + 1 })) {
    if (sequence <= last) continue;
    for (const entry of entriesIn(body)) {
      relive(insides, entry);
      steps++;
    }
    last = sequence;
  }
  for (const run of insides.history.list()) {
    if (!run.ended) continue;
    run.resultsElsewhere = true;
    ended.push(run.id);
  }
  for await (const { body } of log.read({ kind: 'ended.*' })) {
    const dump = runIn(body);
    if (insides.history.find(dump.id) === undefined) loadEnded(insides, dump);
  }
  insides.history.sort();
  // Of a step that was never written.
  await log.deleteAfter(last, 'results.>');
  return { snapshots, steps, ended, broken: await fillRuns(log, insides) };
}

async function lastSnapshot(log: JournalLog): Promise<{ snapshot: Snapshot | undefined; snapshots: number[] }> {
  let snapshot: Snapshot | undefined;
  const snapshots: number[] = [];
  for await (const { body } of log.read({ kind: 'snapshot' })) {
    snapshot = snapshotIn(body);
    snapshots.push(snapshot.covers);
  }
  return { snapshot, snapshots };
}

/** Runs that go on get what belongs to them: the results so far, and the inputs of all their tasks. */
async function fillRuns(log: JournalLog, { history, shelf }: Insides): Promise<string[]> {
  const broken: string[] = [];
  for (const run of history.list()) {
    if (run.ended) continue;
    await readResults(log, run.id, run.results);
    if (!run.hasInputs) continue;
    const inputs = new RunInputs(shelf);
    for await (const { body } of log.read({ kind: `inputs.${run.id}` })) inputs.add(body, run.request.tasks);
    if (inputs.tasks === run.request.tasks) run.inputs = inputs;
    else broken.push(run.id);
  }
  return broken;
}
