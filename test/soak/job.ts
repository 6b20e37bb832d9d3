/** One run of the mix: what is asked for, how its client behaves, and what must come of it. */
import { type PlannedRun, planRun, type RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import type { Chance } from '../integration/hostile.ts';

type Inputs = Readonly<Record<string, number | string>>;

/** How a run comes to its end: it is let be, cancelled after so long, or runs into its deadline. */
export type Ending = { readonly kind: 'whole' | 'deadline' } | { readonly kind: 'cancel'; readonly afterMs: number };

/**
 * Who follows it: one client to its end; one that goes away in mid-watch, and another one later; or the CLI, which is
 * killed in mid-watch.
 */
export type Watcher = 'stays' | 'goes' | 'killed';

/** When results are read: after the end, as they come, or as they come but slowly. */
export type Reader = 'after' | 'during' | 'slowly';

export interface Job {
  /** In tallies. */
  readonly kind: string;
  readonly workload: string;
  readonly inputs: Inputs;
  readonly options: Partial<RunOptions>;
  readonly ending: Ending;
  readonly watcher: Watcher;
  readonly reader: Reader;
  /** Whether the task may give this. */
  readonly isRight: (task: number, value: unknown) => boolean;
  /** Tasks that must fail, each with one of these codes. */
  readonly poisoned: ReadonlySet<number>;
  readonly codes: readonly string[];
  /** Of a failure that is by chance, whether it had to happen; undefined where no task may fail so. */
  readonly mayFail?: (task: number, attempt: number) => boolean;
  /** The same for the whole of a task's tries; true where the first attempt counts as number 1 and none is lost. */
  readonly mustFail?: (task: number) => boolean;
}

/** A run that nobody disturbs and everybody reads, until it is said otherwise. */
export function jobOf(chance: Chance, job: Pick<Job, 'kind' | 'workload' | 'inputs' | 'isRight'> & Partial<Job>): Job {
  return {
    options: modelOf(chance),
    ending: { kind: 'whole' },
    watcher: chance.pick(['stays', 'stays', 'stays', 'stays', 'goes', 'goes', 'killed'] as const),
    reader: chance.pick(['after', 'during', 'slowly'] as const),
    poisoned: new Set(),
    codes: [],
    ...job,
  };
}

export const models: Readonly<Record<string, Partial<RunOptions>>> = {
  processes: { model: 'processes', processes: 2 },
  threads: { model: 'threads', threads: 2 },
  async: { model: 'async', concurrency: 4 },
  hybrid: { model: 'hybrid', processes: 2, threads: 2, concurrency: 2 },
};

export const modelOf = (chance: Chance): Partial<RunOptions> => ({
  ...chance.pick([...Object.values(models), { model: 'serial' } as const]),
  nodes: chance.pick([0, 0, 0, 1]),
});

export function planOf({ workload, inputs, options }: Job): PlannedRun {
  const set = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, String(value)]));
  return planRun(workload, { policy: 'awf', retries: 0, ...options, set });
}
