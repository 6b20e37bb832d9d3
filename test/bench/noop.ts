/**
 * What Regatta itself costs: tasks that do nothing, through a coordinator and two node-agents, as a client sees it.
 * The client is in this process and shares the machine with all of them.
 *
 * - Rates are from the call of submit: `results read` to the last result received and the news of the end, whichever is
 *   later; `to the end` to that news alone. Each task has a result of its own, its index. Received results are counted
 *   in their packs; only the warm-up decodes them, and checks the sum.
 * - Against two bare processes that call the workload and send the results here in batches (see bare-fork.ts); for
 *   chunks of one task, in a message each. Goals are absolute: 200,000 tasks/s, and 10,000 at one task a chunk. Dask
 *   distributed 2022.12 reaches 585 tasks/s and BullMQ 6 with Redis 6,800 jobs/s on two cores: measured elsewhere, not
 *   in this run.
 * - Memory is the most that was resident during a run of 10 million tasks, against the same of the run before it. The
 *   results of all these runs can still be read: those before have filled what the coordinator may keep in memory.
 */
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { valuesOf } from '../../services/coordinator/src/cli/results.ts';
import { planRun, type RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import { startEphemeral } from '../../services/coordinator/src/embedded/cluster.ts';
import { childrenOf } from '../integration/cluster.ts';
import { BareForks } from './bare-fork.ts';
import { type Bench, costFigure, type Figure, rateFigure } from './figure.ts';
import { peakDuring } from './memory.ts';
import { digits, MIB } from './numbers.ts';
import { type Reader, timeRun } from './timed-run.ts';

const TASKS = 10_000_000;
const TASKS_ALONE = 100_000;
const GOAL_TASKS_PER_S = 200_000;
const GOAL_ALONE_PER_S = 10_000;
/** Of what was resident in the run before. */
const GOAL_GROWTH = 1.1;
/** Results in a message of a bare process. */
const BATCH = 1_000;
const ELSEWHERE = 'elsewhere Dask 585 and BullMQ 6,800 a second';

/** Resident bytes at most, by group of processes. */
type Peaks = Readonly<Record<'coordinator' | 'agents', number>>;

/** Rates in tasks/s. */
interface Measured {
  readonly read: readonly number[];
  readonly toEnd: number;
  readonly aloneRead: number;
  readonly aloneToEnd: number;
  readonly before: Peaks;
  readonly after: Peaks;
}

/** Each has 50 MB of results; 128 MiB of them stay in memory. */
const READ_RUNS = 5;

export const noop: Bench = async () => {
  const measured = await measureCluster();
  say('two bare processes');
  const forks = BareForks.start(2);
  try {
    const perS = async (tasks: number, batch: number): Promise<number> =>
      (1000 * tasks) / (await forks.time('noop', { count: tasks }, tasks, batch));
    await perS(TASKS_ALONE, BATCH);
    return figuresOf(measured, await perS(TASKS, BATCH), await perS(TASKS_ALONE, 1));
  } finally {
    forks.end();
  }
};

function figuresOf(measured: Measured, bareInBatches: number, bareAlone: number): Figure[] {
  const { read, toEnd, aloneRead, aloneToEnd, before, after } = measured;
  const inBatches = comparedWith(bareInBatches, `${digits(BATCH)} results`, GOAL_TASKS_PER_S);
  const alone = comparedWith(bareAlone, 'one result', GOAL_ALONE_PER_S);
  return [
    rateFigure({ name: 'noop: 10M tasks, results read', value: median(read), ...inBatches }),
    rateFigure({ name: 'noop: 10M tasks, to the end', value: toEnd, ...inBatches }),
    rateFigure({ name: 'noop: 100k tasks at --chunk 1, results read', value: aloneRead, ...alone }),
    rateFigure({ name: 'noop: 100k tasks at --chunk 1, to the end', value: aloneToEnd, ...alone }),
    memoryFigure('the coordinator', before.coordinator, after.coordinator),
    memoryFigure('agents and their hosts', before.agents, after.agents),
  ];
}

function comparedWith(reference: number, message: string, goalValue: number) {
  const bare = `two bare fork()ed processes, ${message} a message (${digits(reference)} tasks/s)`;
  const against = `${bare}; goal ${digits(goalValue)} tasks/s; ${ELSEWHERE}`;
  return { unit: 'tasks/s', reference, against, goalValue };
}

function memoryFigure(name: string, before: number, after: number): Figure {
  const reference = before / MIB;
  const against = `the same in the run before (${digits(reference)} MiB); goal at most ${GOAL_GROWTH} times that`;
  const goalValue = reference * GOAL_GROWTH;
  return costFigure({
    name: `noop: memory of ${name}`,
    value: after / MIB,
    unit: 'MiB',
    reference,
    against,
    goalValue,
  });
}

async function measureCluster(): Promise<Measured> {
  const cluster = await startEphemeral(2);
  const client = new Client(cluster.address);
  try {
    const groups = await processGroups(client);
    const read: number[] = [];
    const readRun = (): Promise<Peaks> =>
      peakDuring(groups, async () => void read.push(await rateOf(client, TASKS, {}, () => {})));
    say('10M tasks (warm-up, not counted; results are checked)');
    await checkRun(client);
    const peaks: Peaks[] = [];
    for (let run = 1; run <= READ_RUNS; run++) {
      say(`10M tasks, results read, ${run} of ${READ_RUNS}`);
      peaks.push(await readRun());
    }
    const [before, after] = peaks.slice(-2) as [Peaks, Peaks];
    say('10M tasks, to the end');
    const toEnd = await rateOf(client, TASKS, {}, undefined);
    say('100k tasks at --chunk 1, twice');
    const chunkOfOne = { policy: 'self', chunk: 1 } as const;
    const aloneRead = await rateOf(client, TASKS_ALONE, chunkOfOne, () => {});
    const aloneToEnd = await rateOf(client, TASKS_ALONE, chunkOfOne, undefined);
    return { read, toEnd, aloneRead, aloneToEnd, before, after };
  } finally {
    client.close();
    await cluster.end();
  }
}

/** Asked for at each look: hosts come and go. */
async function processGroups(client: Client): Promise<Record<keyof Peaks, () => readonly number[]>> {
  const { pid: coordinator } = await client.status();
  const agents = (await client.nodes()).map(({ pid }) => pid);
  return { coordinator: () => [coordinator], agents: () => agents.flatMap((pid) => [pid, ...childrenOf(pid)]) };
}

/** A run whose results are looked into. */
async function checkRun(client: Client): Promise<void> {
  let sum = 0;
  await rateOf(client, TASKS, {}, (part) => {
    for (const { value } of valuesOf([part])) sum += value as number;
  });
  const expected = (TASKS / 2) * (TASKS - 1);
  if (sum !== expected) throw new Error(`the results add up to ${sum}, not ${expected}`);
}

/** @param reader undefined to leave the results where they are. @returns tasks a second */
async function rateOf(
  client: Client,
  tasks: number,
  options: Partial<RunOptions>,
  reader: Reader | undefined,
): Promise<number> {
  const planned = planRun('noop', { set: { count: String(tasks) }, policy: 'awf', retries: 0, ...options });
  return (1000 * tasks) / (await timeRun(client, planned, reader));
}

const say = (what: string): void => void process.stderr.write(`noop: ${what}\n`);
