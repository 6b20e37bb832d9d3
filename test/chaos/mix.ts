/**
 * The runs under chaos: computing and waiting, over gRPC and over NATS, whole, failing, poisoned, cancelled and late.
 *
 * - X1: each kind comes once before any comes again, in an order that the seed fixes.
 * - X2: a result must be what the workload gives here, by the book, whoever gave it there.
 */
import { isDeepStrictEqual } from 'node:util';
import { mixSeed, Rng } from '@regatta/kernel';
import { findWorkload, resolveParameters } from '@regatta/workloads';
import { Chance } from '../integration/hostile.ts';
import { Deck } from '../soak/deck.ts';
import { type Job, jobOf, modelOf, models } from '../soak/job.ts';

type Inputs = Job['inputs'];
type Draw = (chance: Chance) => Promise<Job>;

const STREAM = 301;
const KIB = 1_024;
/** Far more than a run gets to before it is cancelled or late. */
const UNENDING_TASKS = 50_000;

const cards: readonly Draw[] = [numbers, pi, failing, failingOverNats, poisoned, echo, waiting, cancelled, late];

/** @returns the first so many runs of this seed */
export async function mixOf(seed: number, count: number): Promise<Job[]> {
  const deck = new Deck(cards, new Chance(seed, STREAM));
  const jobs: Job[] = [];
  for (let serial = 1; serial <= count; serial++) jobs.push(await deck.draw()(new Chance(seed, STREAM, serial)));
  return jobs;
}

const between = (chance: Chance, least: number, most: number): number => least + chance.below(most - least + 1);

/** X2. */
async function byTheBook(workload: string, inputs: Inputs): Promise<Job['isRight']> {
  const { run, inputs: sent, shared, tasks } = findWorkload(workload)!;
  const params = resolveParameters(findWorkload(workload)!, inputs);
  const { signal } = new AbortController();
  const each = sent?.(params)[Symbol.iterator]();
  const common = { attempt: 1, signal, shared: shared?.(params) };
  // At the same time: those that wait would otherwise take as long as the run itself.
  const values = await Promise.all(
    Array.from({ length: tasks(params) }, (_, task) => run(params, { ...common, task, input: each?.next().value })),
  );
  return (task, value) => isDeepStrictEqual(value, values[task]);
}

/** What a node takes long over, as nodes do that stand still, is done by another as well; in most runs. */
const hasty = (chance: Chance): Job['options'] => ({
  ...modelOf(chance),
  speculate: chance.pick([true, true, false]),
});

async function numbers(chance: Chance): Promise<Job> {
  const inputs = { count: between(chance, 150, 400), n: between(chance, 500_000, 3_000_000) };
  const isRight = await byTheBook('number-cruncher', inputs);
  return jobOf(chance, { kind: 'numbers', workload: 'number-cruncher', inputs, isRight, options: hasty(chance) });
}

async function pi(chance: Chance): Promise<Job> {
  const inputs = { count: between(chance, 300, 800), samples: 100_000, seed: chance.below(1_000) };
  const isRight = await byTheBook('monte-carlo-pi', inputs);
  return jobOf(chance, { kind: 'pi', workload: 'monte-carlo-pi', inputs, isRight, options: hasty(chance) });
}

async function failing(chance: Chance): Promise<Job> {
  return failingJob(chance, 'failing', { cpuMs: 3, ioMs: between(chance, 10, 40) }, {});
}

async function failingOverNats(chance: Chance): Promise<Job> {
  return failingJob(chance, 'failing, over NATS', { cpuMs: 0, ioMs: between(chance, 20, 60) }, { transport: 'nats' });
}

/** Attempts fail by chance that is known; a task has failed once so many of its attempts have. */
async function failingJob(chance: Chance, kind: string, cost: Inputs, options: Job['options']): Promise<Job> {
  const seed = chance.below(1_000_000);
  const [failureRate, retries] = [0.2, between(chance, 0, 2)];
  const bytes = chance.pick([0, 4 * KIB]);
  const inputs = { count: between(chance, 150, 450), seed, failureRate, bytes, ...cost };
  const isRight = await byTheBook('synthetic', { ...inputs, failureRate: 0, cpuMs: 0, ioMs: 0 });
  const fails = (task: number, attempt: number): boolean => new Rng(mixSeed(seed, task, attempt)).unit() < failureRate;
  const failures = (task: number, attempts: number): number =>
    Array.from({ length: attempts }, (_, i) => fails(task, i + 1)).filter(Boolean).length;
  return jobOf(chance, {
    kind,
    workload: 'synthetic',
    inputs,
    isRight,
    options: { ...chance.pick([models.async, models.processes]), ...options, retries },
    mayFail: (task, attempt) => fails(task, attempt) && failures(task, attempt) > retries,
    mustFail: (task) => failures(task, retries + 1) > retries,
  });
}

/** One task throws, or is the death of its host. */
async function poisoned(chance: Chance): Promise<Job> {
  const count = between(chance, 30, 60);
  const at = chance.below(count);
  const [how, code] = chance.pick([
    ['throw', 'TASK_THREW'],
    ['exit', 'HOST_DIED'],
    ['kill', 'HOST_DIED'],
  ] as const);
  return jobOf(chance, {
    kind: `poisoned: ${how}`,
    workload: 'faulty',
    inputs: { how, count, at, workMs: between(chance, 40, 120) },
    options: models.processes!,
    isRight: (task, value) => value === task,
    poisoned: new Set([at]),
    codes: [code],
  });
}

async function echo(chance: Chance): Promise<Job> {
  const inputs = { count: between(chance, 12, 40), bytes: between(chance, 1, 256 * KIB) };
  const isRight = await byTheBook('echo', inputs);
  return jobOf(chance, { kind: 'echo', workload: 'echo', inputs, isRight, options: hasty(chance) });
}

/** I/O, which goes over NATS unless somebody wants it otherwise. */
async function waiting(chance: Chance): Promise<Job> {
  const waits = { ms: between(chance, 20, 60), distribution: chance.pick(['fixed', 'uniform', 'exp']) };
  const inputs = { count: between(chance, 400, 1_200), seed: chance.below(1_000), ...waits };
  const options = { model: 'async', concurrency: 8 } as const;
  return jobOf(chance, {
    kind: 'waiting',
    workload: 'io-wait',
    inputs,
    options,
    isRight: await byTheBook('io-wait', inputs),
  });
}

const unending = (chance: Chance): Pick<Job, 'workload' | 'inputs' | 'options' | 'isRight'> => ({
  workload: 'synthetic',
  inputs: { count: UNENDING_TASKS, cpuMs: 0, ioMs: 30 },
  options: { ...chance.pick([models.async, models.processes]), transport: chance.pick(['grpc', 'nats'] as const) },
  isRight: (task, value) => value === task,
});

async function cancelled(chance: Chance): Promise<Job> {
  const ending = { kind: 'cancel', afterMs: between(chance, 300, 5_000) } as const;
  return jobOf(chance, { kind: 'cancelled', ...unending(chance), ending });
}

async function late(chance: Chance): Promise<Job> {
  const { options, ...work } = unending(chance);
  const deadline = between(chance, 500, 5_000);
  return jobOf(chance, { kind: 'late', ...work, options: { ...options, deadline }, ending: { kind: 'deadline' } });
}
