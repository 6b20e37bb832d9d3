/**
 * A race: the same work under every model, measured, compared, judged.
 *
 * - R1: entries take turns, round by round, so that a machine that slows down slows all of them.
 * - R2: a first round warms up (host processes start, code is compiled) and is not counted; what starting costs is told.
 * - R3: equal work gives equal results: where digests differ the race fails.
 * - R4: a run whose node was lost or throttled measured something else, and its entry is not valid.
 */
import { RegattaError } from '@regatta/kernel';
import type { Client } from '../cli/client.ts';
import { Interrupted } from '../cli/exit.ts';
import { submitAndFollow } from '../cli/follow.ts';
import { plural } from '../cli/render/format.ts';
import { collect, digestOf } from '../cli/results.ts';
import { type PlannedRun, type PolitenessOptions, planRun } from '../cli/run-options.ts';

import { type Entry, entriesFor, totalCores } from './entries.ts';
import { type EntryResult, resultOf, type Sample } from './measure.ts';
import { judge, type Verdict } from './verdict.ts';

export const RACE_REPEATS_DEFAULT = 5;

export interface RaceOptions {
  readonly set?: Readonly<Record<string, string>>;
  /** Measured runs of each entry. */
  readonly repeat: number;
  readonly concurrency?: number;
}

/** What `race --json` prints. Times in ms. */
export interface RaceResult {
  readonly workload: string;
  readonly kind: 'cpu' | 'io';
  readonly tasks: number;
  readonly cluster: { readonly nodes: number; readonly cores: readonly number[] };
  readonly entries: readonly EntryResult[];
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
  { repeat, concurrency }: RaceOptions,
  interrupted: AbortSignal,
): Promise<RaceResult> {
  const { spec, workload } = planned;
  const nodes = (await client.nodes()).filter(({ state }) => state === 'alive');
  if (nodes.length === 0)
    throw new RegattaError('NO_CLUSTER', `no node is connected to ${client.address}: nobody to race`);
  const entries = entriesFor(spec, nodes, concurrency);
  const samples = await runRounds(client, planned, entries, repeat, interrupted);
  const serialMs = resultOf(entries[0]!, samples[0]!, 1, nodes).wallMs.median;
  const results = entries.map((entry, i) => resultOf(entry, samples[i]!, serialMs, nodes));
  const cluster = { nodes: nodes.length, cores: nodes.map(({ cores }) => cores) };
  const verdict = judge(results, workload.kind, totalCores(nodes));
  return { workload: workload.name, kind: workload.kind, tasks: spec.tasks, cluster, entries: results, verdict };
}

async function runRounds(
  client: Client,
  planned: PlannedRun,
  entries: readonly Entry[],
  repeat: number,
  interrupted: AbortSignal,
): Promise<Sample[][]> {
  const samples: Sample[][] = entries.map(() => []);
  for (let round = 0; round <= repeat; round++) {
    for (const [i, entry] of entries.entries()) {
      const label = round === 0 ? 'warming up' : `round ${round}/${repeat}`;
      const on = plural(entry.nodes, 'node');
      const entrant = { ...planned, spec: entry.spec };
      const run = await submitAndFollow(client, entrant, `${label}: ${entry.model} on ${on}`, interrupted);
      if (interrupted.aborted) throw new Interrupted();
      samples[i]!.push({ run, digest: digestOf(await collect(client, run.runId), planned.workload), warmUp: round === 0 });
    }
    sayRound(round, repeat);
  }
  return samples;
}

/** In a pipe there is no bar to watch. */
function sayRound(round: number, repeat: number): void {
  if (process.stderr.isTTY) return;
  process.stderr.write(
    round === 0 ? 'Warmed up: host processes run, code is compiled.\n' : `Round ${round} of ${repeat} done.\n`,
  );
}
