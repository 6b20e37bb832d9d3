/**
 * Runs with tasks that misbehave, in every way and under every model that it makes a difference for; and what that must
 * come to: which tasks fail, of what.
 */
import type { RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import type { Chance } from '../integration/hostile.ts';
import { type Job, jobOf, models } from './job.ts';

interface Poison {
  readonly how: string;
  readonly inputs?: Readonly<Record<string, number>>;
  readonly options?: Partial<RunOptions>;
  /** Of the failure, by model; a model that is not named is not tried. */
  readonly codes: Readonly<Record<string, string>>;
}

/** Enough for an innocent task on a loaded machine. */
const TIMEOUT_MS = 2_500;
const MIB = 2 ** 20;

const everywhere = (code: string) => ({ processes: code, threads: code, async: code, hybrid: code });
/** In a thread `exit` ends the thread alone, and Node refuses `abort`. */
const inProcess = (code: string) => ({ processes: code, async: code });
const inThread = (code: string) => ({ threads: code, hybrid: code });

const deadly: readonly Poison[] = [
  { how: 'throw', codes: everywhere('TASK_THREW') },
  { how: 'exit', codes: { ...inProcess('HOST_DIED'), ...inThread('THREAD_DIED') } },
  { how: 'abort', codes: { ...inProcess('HOST_DIED'), ...inThread('TASK_THREW') } },
  { how: 'kill', codes: everywhere('HOST_DIED') },
  { how: 'buffers', codes: everywhere('MEMORY_EXCEEDED') },
  { how: 'spin', options: { timeout: TIMEOUT_MS }, codes: everywhere('TASK_TIMED_OUT') },
  { how: 'wait', options: { timeout: TIMEOUT_MS }, codes: everywhere('TASK_TIMED_OUT') },
  {
    how: 'reject-soon',
    codes: { processes: 'TASK_FAILED_LATE', threads: 'TASK_FAILED_LATE', async: 'TASK_FAILED_LATE' },
  },
  { how: 'large', inputs: { bytes: 34 * MIB }, codes: everywhere('RESULT_TOO_LARGE') },
];

/** They do harm and succeed. Alone in its chunk, a result is sent before what its task has left behind goes wrong. */
const harmless: readonly Poison[] = [
  { how: 'leak', inputs: { every: 4, bytes: 20 * MIB }, codes: everywhere('') },
  { how: 'flood', codes: everywhere('') },
  { how: 'flood-stderr', codes: everywhere('') },
  { how: 'reject', options: { chunk: 1 }, codes: everywhere('') },
  { how: 'late-throw', options: { chunk: 1 }, codes: everywhere('') },
];

export type Draw = (chance: Chance) => Job;

/** One for each way to misbehave, under a model that it matters for. */
export const poisonedJobs: readonly Draw[] = [
  ...deadly.map(
    (poison): Draw =>
      (chance) =>
        poisonedJob(chance, poison, true),
  ),
  ...harmless.map(
    (poison): Draw =>
      (chance) =>
        poisonedJob(chance, poison, false),
  ),
];

function poisonedJob(chance: Chance, { how, inputs, options, codes }: Poison, dies: boolean): Job {
  const count = 12 + chance.below(16);
  const at = chance.below(count);
  const [model, code] = chance.pick(Object.entries(codes));
  return jobOf(chance, {
    kind: `faulty: ${how}`,
    workload: 'faulty',
    inputs: { how, count, at, ...inputs },
    options: { ...models[model], ...options },
    isRight: (task, value) => value === task,
    poisoned: new Set(dies ? [at] : []),
    codes: [code],
  });
}
