/**
 * The engine's memory as plain data, and how a later engine comes by it: a dump, then the steps since, lived again one
 * after another without a word to anybody.
 *
 * - V1: a step that is lived again has the effects that it had (I8); where it has not, the books are another program's,
 *   and nothing is done on them.
 * - V2: nodes that were there are awaited for a lease's time, with what they held. One that comes back goes on.
 */
import { RegattaError } from '@regatta/kernel';
import { type Event, Scheduler, type SchedulerSnapshot } from '@regatta/scheduler';
import type { Said } from './bookkeeping.ts';
import type { Books } from './books.ts';
import type { Shelf } from './byte-log.ts';
import type { Clock } from './clock.ts';
import { digestOf } from './digest.ts';
import type { Fleet, FleetDump, Introduction } from './fleet.ts';
import type { History } from './history.ts';
import type { Entry } from './record.ts';
import { ResultStore } from './result-store.ts';
import { type RunDump, RunRecord } from './run-record.ts';

/** What an engine is made of. */
export interface Insides {
  scheduler: Scheduler;
  readonly clock: Clock;
  readonly history: History;
  readonly fleet: Fleet;
  readonly books: Books;
  readonly shelf: Shelf;
  readonly counters: Counters;
}

export interface Counters {
  /** Of the next connection of any node. */
  nextIncarnation: number;
  runSerial: number;
}

/** An entry as it is kept. */
export interface StoredEntry extends Pick<Entry, 'at' | 'event' | 'said' | 'submission' | 'introduction'> {
  /** Of its effects. */
  readonly digest: number;
}

/** All of an engine after some step, but for the books of its runs. */
export interface EngineDump {
  readonly at: number;
  readonly scheduler: SchedulerSnapshot;
  readonly fleet: FleetDump;
  readonly counters: Counters;
}

export const storedOf = ({ effects, results: _, ...kept }: Entry): StoredEntry => ({
  ...kept,
  digest: digestOf(effects),
});

export function dumpOf({ scheduler, clock, fleet, counters }: Insides): EngineDump {
  return { at: clock.now(), scheduler: scheduler.snapshot(), fleet: fleet.dump(), counters: { ...counters } };
}

/** The runs of a dump, as their books stand: others have begun since. */
export const dumpRuns = ({ history }: Insides, { scheduler }: EngineDump): RunDump[] =>
  scheduler.runs.flatMap(({ plan }) => history.find(plan.runId)?.dump() ?? []);

/** @throws RegattaError SNAPSHOT_VERSION */
export function load(insides: Insides, dump: EngineDump, runs: readonly RunDump[]): void {
  insides.scheduler = Scheduler.restore(dump.scheduler);
  insides.clock.notBefore(dump.at);
  insides.fleet.load(dump.fleet);
  Object.assign(insides.counters, dump.counters);
  for (const run of runs) {
    if (run.own.finalCounts === undefined) insides.history.add(RunRecord.load(run, emptyStore(insides)));
    else loadEnded(insides, run);
  }
}

/** A run that ended in an earlier life; its results are fetched when somebody asks for them. */
export function loadEnded(insides: Insides, dump: RunDump): RunRecord {
  const run = RunRecord.load(dump, emptyStore(insides));
  run.resultsElsewhere = true;
  insides.history.addEnded(run);
  return run;
}

/** V1. @throws RegattaError JOURNAL_DIFFERS */
export function relive(insides: Insides, { at, event, said, submission, introduction, digest }: StoredEntry): void {
  const { clock, history, fleet, counters, books, scheduler } = insides;
  clock.notBefore(at);
  if (event.kind === 'runSubmitted' && submission !== undefined) {
    const { request, hasInputs, submittedAt } = submission;
    history.add(new RunRecord(event.plan.runId, request, submittedAt, emptyStore(insides), hasInputs));
    counters.runSerial++;
  }
  if (event.kind === 'nodeJoined' && introduction !== undefined) {
    fleet.await(introduction, event.node.incarnation);
    counters.nextIncarnation = Math.max(counters.nextIncarnation, event.node.incarnation + 1);
  }
  const effects = scheduler.step(event, at);
  if (digestOf(effects) !== digest) throw differs(event, at);
  noteNode(fleet, event);
  for (const effect of effects) {
    if (effect.kind === 'nodeDrained')
      fleet.emptied(effect.nodeId, effect.incarnation, pullsOn(scheduler, effect.nodeId));
  }
  books.write({ at, event, effects, results: [], ...(said && { said: said as Said }) });
}

/** What a node has taken from queues only it knows. */
export const pullsOn = (scheduler: Scheduler, nodeId: string): boolean =>
  [...(scheduler.nodes.get(nodeId)?.runs ?? [])].some((run) => run.queue !== undefined);

function noteNode(fleet: Fleet, event: Event): void {
  if (event.kind === 'nodeLost' && event.left === true) fleet.left(event.nodeId, event.incarnation);
  else if (event.kind === 'nodeLost') fleet.lost(event.nodeId, event.incarnation);
  if (event.kind === 'nodeDraining') fleet.drains(event.nodeId, event.incarnation, true);
  if (event.kind === 'nodeResumed') fleet.drains(event.nodeId, event.incarnation, false);
}

function emptyStore({ shelf }: Insides): ResultStore {
  // Where they cannot be kept they can be fetched again.
  return new ResultStore(shelf, () => {});
}

const differs = (event: Event, at: number): RegattaError =>
  new RegattaError(
    'JOURNAL_DIFFERS',
    `the journal's ${event.kind} of ${new Date(at).toISOString()} comes out otherwise than it was recorded: it was ` +
      'written by another version; start that one, or let it finish its runs and remove the NATS stream',
  );

/** What a node says that it still has of an earlier connection. */
export interface Leftovers {
  readonly incarnation: number;
  /** Attempts that were pushed to it. */
  readonly attempts: readonly number[];
  readonly runs: readonly string[];
}

/** What is to be done about a node that came back, so that both sides know the same of it (V2). */
export interface Reconciliation {
  /** Attempts that it never got or has lost, with where they stand. */
  readonly missing: readonly { readonly attemptId: number; readonly reported: number }[];
  /** Attempts that it is to stop. */
  readonly cancel: readonly number[];
  /** Runs whose orders it needs. */
  readonly open: readonly { readonly runId: string; readonly shape: Shape }[];
  /** Runs that it is to pull for. */
  readonly pull: readonly { readonly runId: string; readonly shape: Shape }[];
  /** Runs that are over. */
  readonly close: readonly string[];
}

type Shape = RunRecord['request']['shape'];

export function reconcile({ scheduler }: Insides, introduction: Introduction, left: Leftovers): Reconciliation {
  const node = scheduler.nodes.get(introduction.nodeId)!;
  const has = new Set(left.attempts);
  const attempts = [...node.attempts.values()];
  const shares = [...node.runs].map((run) => ({ run, share: run.shares.get(node.id)! }));
  return {
    missing: attempts.flatMap(({ id, reported }) => (has.has(id) ? [] : [{ attemptId: id, reported }])),
    cancel: [
      ...attempts.flatMap(({ id, state }) => (has.has(id) && state !== 'running' ? [id] : [])),
      ...left.attempts.filter((id) => !node.attempts.has(id)),
    ],
    open: shares.flatMap(({ run, share }) =>
      run.queue === undefined && share.opened ? [{ runId: run.id, shape: share.shape }] : [],
    ),
    pull: shares.flatMap(({ run, share }) =>
      run.queue !== undefined && share.serves ? [{ runId: run.id, shape: share.shape }] : [],
    ),
    close: [...new Set([...left.runs, ...introduction.pulls])].filter((runId) => !scheduler.runs.has(runId)),
  };
}
