/**
 * The scheduler as plain data, for a successor to go on with: from a snapshot on, the same events give the same effects,
 * byte for byte. So it keeps what only the past explains: orders of maps and heaps, sums as they were rounded.
 *
 * Each class writes and reads its own part (`dump`, `load`); here is how the parts hang together: nodes and runs know each
 * other by id, attempts hang on whoever holds them.
 */
import { RegattaError } from '@regatta/kernel';
import type { AlarmsDump } from './alarms.ts';
import { type DumpedNumber, found, loadHeld } from './dump.ts';
import { type Attempt, Node, type NodeDump } from './node.ts';
import { Run, type RunDump } from './run.ts';

/** Goes up whenever an old snapshot would be read wrongly. One with chunks at two nodes an old program would misread. */
const SNAPSHOT_VERSION = 1;
const VERSION_WITH_COPIES = 2;

export interface SchedulerSnapshot {
  readonly version: number;
  readonly nextAttemptId: number;
  readonly wakeAt: DumpedNumber;
  readonly alarms: AlarmsDump;
  readonly nodes: readonly NodeDump[];
  readonly runs: readonly RunDump[];
  /** Ids of runs. */
  readonly turns: readonly string[];
}

/** What of the scheduler's own state is public. */
interface Books {
  readonly nodes: Map<string, Node>;
  readonly runs: Map<string, Run>;
  readonly turns: Run[];
  nextAttemptId: number;
}

/** @returns all of the snapshot that hangs on the books */
export function dumpBooks({ nodes, runs, turns, nextAttemptId }: Books): Omit<SchedulerSnapshot, 'wakeAt' | 'alarms'> {
  return {
    version: [...runs.values()].some(({ copies }) => copies > 0) ? VERSION_WITH_COPIES : SNAPSHOT_VERSION,
    nextAttemptId,
    nodes: [...nodes.values()].map((node) => node.dump()),
    runs: [...runs.values()].map((run) => run.dump()),
    turns: turns.map((run) => run.id),
  };
}

/**
 * Fills empty books.
 * @throws RegattaError SNAPSHOT_VERSION where it was written by a program that keeps other books
 */
export function loadBooks(books: Books, snapshot: SchedulerSnapshot): void {
  assertVersion(snapshot.version);
  books.nextAttemptId = snapshot.nextAttemptId;
  for (const dump of snapshot.nodes) books.nodes.set(dump.offer.id, Node.load(dump));
  for (const dump of snapshot.runs) books.runs.set(dump.plan.runId, Run.load(dump, books.nodes));
  for (const runId of snapshot.turns) books.turns.push(found(books.runs, runId));
  const known = new Map<number, Attempt>();
  for (const dump of snapshot.nodes) {
    const node = found(books.nodes, dump.offer.id);
    for (const runId of dump.runs) node.runs.add(found(books.runs, runId));
    const hangsOn = (runId: string) => {
      const run = found(books.runs, runId);
      return { run, taker: found(run.shares, node.id) };
    };
    loadHeld(node, dump.held, hangsOn, known);
  }
}

function assertVersion(version: unknown): void {
  if (version === SNAPSHOT_VERSION || version === VERSION_WITH_COPIES) return;
  throw new RegattaError(
    'SNAPSHOT_VERSION',
    `the scheduler's snapshot is of version ${String(version)} and this program reads up to ${VERSION_WITH_COPIES}: ` +
      'start the version of Regatta that wrote it',
  );
}
