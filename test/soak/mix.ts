/**
 * The mix: runs of every workload whose results are known, under every model, whole, cancelled and late; and some that
 * misbehave (poisons.ts).
 *
 * - O1: what a task must give is known without the cluster: by a formula, or by running the workload here, serially.
 */
import { mixSeed, Rng } from '@regatta/kernel';
import { serialValues } from '../integration/direct.ts';
import { Chance } from '../integration/hostile.ts';
import { sumOfSquares } from '../integration/wire.ts';
import { Deck } from './deck.ts';
import { type Job, jobOf, modelOf } from './job.ts';
import { poisonedJobs } from './poisons.ts';

type Draw = (chance: Chance) => Promise<Job> | Job;

const KIB = 1024;
const BLOCKS_FOR_EVER_MS = 600_000;

/** Each is drawn as often as it is here, in random order. */
const cards: readonly Draw[] = [
  ...Array<Draw>(4).fill(noop),
  ...Array<Draw>(3).fill(numbers),
  ...Array<Draw>(3).fill(pi),
  ...Array<Draw>(4).fill(synthetic),
  ...Array<Draw>(4).fill(echo),
  ...Array<Draw>(4).fill(cancelled),
  ...Array<Draw>(2).fill(late),
  ...poisonedJobs,
];

/** The runs of a soak: a sequence that its seed fixes, whoever takes which of them. */
export class Mix {
  readonly #seed: number;
  readonly #deck: Deck<Draw>;
  #serial = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#deck = new Deck(cards, new Chance(seed, 0));
  }

  /** @returns the next one, and a stream of chance for whatever else befalls it */
  async next(): Promise<{ job: Job; chance: Chance }> {
    const chance = new Chance(this.#seed, ++this.#serial);
    return { job: await this.#deck.draw()(chance), chance };
  }
}

/** Between the two, each order of magnitude as likely as another. */
const magnitude = (chance: Chance, least: number, most: number): number =>
  Math.round(least * (most / least) ** (chance.below(1_000) / 999));

const isItself = (task: number, value: unknown): boolean => value === task;

function noop(chance: Chance): Job {
  const count = magnitude(chance, 1, 100_000);
  const policy = chance.pick(['static', 'self', 'awf'] as const);
  // At most some hundred chunks.
  const chunk = Math.ceil(count / 300) * (1 + chance.below(4));
  const chunked = policy === 'self' || chance.below(2) === 0;
  const options = { ...modelOf(chance), policy, ...(chunked && { chunk: Math.min(chunk, 65_536) }) };
  return jobOf(chance, { kind: 'noop', workload: 'noop', inputs: { count }, options, isRight: isItself });
}

function numbers(chance: Chance): Job {
  const inputs = { count: 4 + chance.below(40), n: magnitude(chance, 1_000, 200_000) };
  const isRight = (task: number, value: unknown): boolean => String(value) === sumOfSquares(inputs.n + task);
  return jobOf(chance, { kind: 'numbers', workload: 'number-cruncher', inputs, isRight });
}

async function pi(chance: Chance): Promise<Job> {
  const inputs = { count: 4 + chance.below(20), samples: magnitude(chance, 1_000, 20_000), seed: chance.below(1_000) };
  const serial = await serialValues('monte-carlo-pi', inputs);
  const isRight = (task: number, value: unknown): boolean => serial.get(task) === value;
  return jobOf(chance, { kind: 'pi', workload: 'monte-carlo-pi', inputs, isRight });
}

/** Failures by chance, of which some pass when they are tried again. */
function synthetic(chance: Chance): Job {
  const seed = chance.below(1_000_000);
  const retries = chance.below(3);
  const failureRate = chance.pick([0, 0.05, 0.2]);
  const bytes = chance.pick([0, 0, 4 * KIB]);
  const cost = { cpuMs: chance.pick([0, 0.5, 2, 5]), ioMs: chance.pick([0, 1, 5]) };
  const inputs = { count: 20 + chance.below(130), seed, failureRate, bytes, ...cost };
  const mayFail = (task: number, attempt: number): boolean =>
    new Rng(mixSeed(seed, task, attempt)).unit() < failureRate;
  const mustFail = (task: number): boolean =>
    Array.from({ length: retries + 1 }, (_, i) => i + 1).every((attempt) => mayFail(task, attempt));
  const isRight = (task: number, value: unknown): boolean =>
    bytes === 0 ? value === task : repeats(value, task, bytes);
  const options = { ...modelOf(chance), retries };
  return jobOf(chance, { kind: 'synthetic', workload: 'synthetic', inputs, options, isRight, mayFail, mustFail });
}

function repeats(value: unknown, word: number, bytes: number): boolean {
  if (!(value instanceof Uint8Array) || value.byteLength !== bytes) return false;
  const view = new DataView(value.buffer, value.byteOffset, bytes);
  for (let offset = 0; offset < bytes; offset += 4) if (view.getUint32(offset, true) !== word) return false;
  return true;
}

/** At most 16 MiB each way. Whether they are intact its own combine knows: see user.ts. */
function echo(chance: Chance): Job {
  const bytes = magnitude(chance, 64 * KIB, 1024 * KIB);
  const count = 1 + chance.below(Math.min(48, Math.floor((16 * 1024 * KIB) / bytes)));
  const isRight = (_task: number, value: unknown): boolean => value instanceof Uint8Array && value.byteLength === bytes;
  return jobOf(chance, { kind: 'echo', workload: 'echo', inputs: { count, bytes }, isRight });
}

/** Far from done when it is cancelled, or past its deadline: its tasks compute, wait, block for ever or spin. */
const unending: readonly Pick<Job, 'workload' | 'inputs' | 'isRight'>[] = [
  { workload: 'synthetic', inputs: { count: 100_000, cpuMs: 5 }, isRight: isItself },
  { workload: 'synthetic', inputs: { count: 100_000, cpuMs: 0, ioMs: 20 }, isRight: isItself },
  { workload: 'synthetic', inputs: { count: 8, cpuMs: BLOCKS_FOR_EVER_MS }, isRight: isItself },
  { workload: 'faulty', inputs: { how: 'spin', count: 20, at: 3 }, isRight: isItself },
  { workload: 'faulty', inputs: { how: 'wait', count: 20, at: 3 }, isRight: isItself },
];

function cancelled(chance: Chance): Job {
  const ending = { kind: 'cancel', afterMs: magnitude(chance, 20, 1_500) } as const;
  return jobOf(chance, { kind: 'cancel', ...chance.pick(unending), ending });
}

function late(chance: Chance): Job {
  const options = { ...modelOf(chance), deadline: 300 + chance.below(700) };
  return jobOf(chance, { kind: 'deadline', ...chance.pick(unending), options, ending: { kind: 'deadline' } });
}
