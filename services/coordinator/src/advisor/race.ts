/**
 * A race: the same work under every model, measured, compared, judged.
 *
 * - R1: entries take turns, round by round, so that a machine that slows down slows all of them.
 * - R2: a first round warms up (host processes start, code is compiled) and is not counted; what starting costs is told.
 * - R3: equal work gives equal results: where digests differ the race fails.
 * - R4: a run whose node was lost or throttled measured something else, and its entry is not valid.
 */
import { counted, RegattaError } from '@regatta/kernel';
import type { Parameters } from '@regatta/workloads';
import type { Client } from '../cli/client.ts';
import { Interrupted } from '../cli/exit.ts';
import { submitAndFollow } from '../cli/follow.ts';
import { collect, digestOf } from '../cli/results.ts';
import { type PlannedRun, type PolitenessOptions, planRun } from '../cli/run-options.ts';
import type { NodeView, RunSpec, RunView } from '../cli/views.ts';
import { type Entry, entriesFor, type LeftOut, totalCores, unrun } from './entries.ts';
import { type EntryResult, resultOf, type Sample } from './measure.ts';
import { judge, type Verdict } from './verdict.ts';

export const RACE_REPEATS_DEFAULT = 5;
/** By which it is told what a task takes, one after another. */
const TRIAL_TASKS = 20;

export interface RaceOptions {
  readonly set?: Readonly<Record<string, string>>;
  /** Measured runs of each entry. */
  readonly repeat: number;
  readonly concurrency?: number;
  /** Entries are left out of which a run would take longer, by what the first tasks take: for work that waits. */
  readonly entryMsMax?: number;
}

/** What `race --json` prints. Times in ms. */
export interface RaceResult {
  readonly workload: string;
  readonly kind: 'cpu' | 'io';
  readonly tasks: number;
  readonly cluster: { readonly nodes: number; readonly cores: readonly number[] };
  readonly entries: readonly EntryResult[];
  /** With `serial` among them, its time is what the speedups refer to. */
  readonly leftOut: readonly LeftOut[];
  /** Null where the results differ or no entry is valid. */
  readonly verdict: Verdict | null;
}

/** What is to be raced. @throws RegattaError for bad input: worth knowing before a cluster is started */
export function planRace(name: string, set: RaceOptions['set'] = {}, polite: PolitenessOptions = {}): PlannedRun {
  const { maxInFlightPerTarget = 0, maxRatePerTarget = 0 } = polite;
  return planRun(name, { set, policy: 'awf', retries: 0, maxInFlightPerTarget, maxRatePerTarget });
}

/** @throws RegattaError, Interrupted */
export async function race(
  client: Client,
  planned: PlannedRun,
  { repeat, concurrency, entryMsMax }: RaceOptions,
  interrupted: AbortSignal,
): Promise<RaceResult> {
  const { spec, workload } = planned;
  const nodes = (await client.nodes()).filter(({ state }) => state === 'alive');
  if (nodes.length === 0)
    throw new RegattaError('NO_CLUSTER', `no node is connected to ${client.address}: nobody to race`);
  const all = entriesFor(spec, nodes, concurrency);
  const enter = (entrant: PlannedRun, title: string) => runOnce(client, entrant, title, interrupted);
  const { entries, leftOut } = await select(planned, all, nodes, entryMsMax, enter);
  const samples = await runRounds(planned, entries, repeat, enter);
  const serial = leftOut.find(({ model }) => model === 'serial');
  const serialMs = serial?.aboutMs ?? resultOf(entries[0]!, samples[0]!, 1, nodes).wallMs.median;
  const results = entries.map((entry, i) => resultOf(entry, samples[i]!, serialMs, nodes));
  const cluster = { nodes: nodes.length, cores: nodes.map(({ cores }) => cores) };
  const verdict = judge(results, workload.kind, totalCores(nodes));
  return {
    workload: workload.name,
    kind: workload.kind,
    tasks: spec.tasks,
    cluster,
    entries: results,
    leftOut,
    verdict,
  };
}

type Enter = (entrant: PlannedRun, title: string) => Promise<{ readonly run: RunView; readonly digest: string }>;

/** Those worth their time, and what the others would come to. */
async function select(
  planned: PlannedRun,
  all: readonly Entry[],
  nodes: readonly NodeView[],
  entryMsMax: number | undefined,
  enter: Enter,
): Promise<{ entries: readonly Entry[]; leftOut: readonly LeftOut[] }> {
  if (entryMsMax === undefined) return { entries: all, leftOut: [] };
  const trial = firstOf(planned, all[0]!.spec, TRIAL_TASKS);
  // What the first takes is not what tasks take: a host starts, connections are made.
  await enter(trial, 'trial');
  const { run } = await enter(trial, 'trial');
  const about = new Map(all.map((entry) => [entry, unrun(entry, nodes, run.wallMs / run.spec.tasks)]));
  const entries = all.filter((entry) => about.get(entry)!.aboutMs <= entryMsMax);
  return { entries, leftOut: [...about.values()].filter(({ aboutMs }) => aboutMs > entryMsMax) };
}

/** The same, but of its first tasks alone. */
function firstOf(planned: PlannedRun, spec: RunSpec, tasksMax: number): PlannedRun {
  const tasks = Math.min(spec.tasks, tasksMax);
  const inputs = planned.workload.inputs;
  const first = inputs && ((params: Parameters) => take(inputs(params), tasks));
  return { ...planned, spec: { ...spec, tasks }, workload: { ...planned.workload, ...(first && { inputs: first }) } };
}

function* take<T>(values: Iterable<T>, count: number): Iterable<T> {
  let taken = 0;
  for (const value of values) {
    yield value;
    if (++taken === count) return;
  }
}

async function runRounds(
  planned: PlannedRun,
  entries: readonly Entry[],
  repeat: number,
  enter: Enter,
): Promise<Sample[][]> {
  const samples: Sample[][] = entries.map(() => []);
  for (let round = 0; round <= repeat; round++) {
    const label = round === 0 ? 'warming up' : `round ${round}/${repeat}`;
    for (const [i, { model, nodes, spec }] of entries.entries()) {
      const title = `${label}: ${model} on ${counted(nodes, 'node')}`;
      samples[i]!.push({ ...(await enter({ ...planned, spec }, title)), warmUp: round === 0 });
    }
    sayRound(round, repeat);
  }
  return samples;
}

async function runOnce(
  client: Client,
  entrant: PlannedRun,
  title: string,
  interrupted: AbortSignal,
): ReturnType<Enter> {
  const run = await submitAndFollow(client, entrant, title, interrupted);
  if (interrupted.aborted) throw new Interrupted();
  return { run, digest: digestOf(await collect(client, run.runId), entrant.workload) };
}

/** In a pipe there is no bar to watch. */
function sayRound(round: number, repeat: number): void {
  if (process.stderr.isTTY) return;
  process.stderr.write(
    round === 0 ? 'Warmed up: host processes run, code is compiled.\n' : `Round ${round} of ${repeat} done.\n`,
  );
}
