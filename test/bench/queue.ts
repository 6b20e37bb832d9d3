/**
 * What the queue itself costs: tasks that do nothing, their chunks through JetStream to two nodes and their outcomes
 * back through it, every step in the journal. Each task has a result of its own, which the client reads.
 *
 * Against what JetStream does with nothing around it: messages through a work queue, published by one process and
 * consumed and acknowledged by another (see bare-stream.ts), turn by turn. In batches a message carries many tasks; at
 * one task a chunk each task takes two messages, its chunk and its outcome, though outcomes are gathered.
 */
import { startNats } from '@regatta/broker/testing';
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun, type RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import { BareStream } from './bare-stream.ts';
import { type Bench, type Figure, rateFigure } from './figure.ts';
import { digits } from './numbers.ts';
import { Site } from './site.ts';
import { timeRun } from './timed-run.ts';

const TASKS = 2_000_000;
const TASKS_ALONE = 8_000;
const MESSAGES = 30_000;
const ROUNDS = 3;
const GOAL_TASKS_PER_S = 50_000;

/** Rates a second, by round. */
interface Measured {
  readonly bare: number[];
  readonly batches: number[];
  readonly alone: number[];
}

export const queue: Bench = async () => {
  await using nats = await startNats();
  const site = await Site.start(nats);
  const client = new Client(site.address);
  try {
    const stream = await BareStream.start(nats.url);
    try {
      return figuresOf(await takeTurns(client, stream));
    } finally {
      stream.end();
    }
  } finally {
    client.close();
    await site.end();
  }
};

async function takeTurns(client: Client, stream: BareStream): Promise<Measured> {
  const measured: Measured = { bare: [], batches: [], alone: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}${round === 0 ? ' (warm-up, not counted)' : ''}`);
    const bare = (1000 * MESSAGES) / (await stream.time(MESSAGES));
    const batches = await rateOf(client, TASKS, {});
    const alone = await rateOf(client, TASKS_ALONE, { policy: 'self', chunk: 1 });
    if (round === 0) continue;
    measured.bare.push(bare);
    measured.batches.push(batches);
    measured.alone.push(alone);
  }
  return measured;
}

async function rateOf(client: Client, tasks: number, options: Partial<RunOptions>): Promise<number> {
  const set = { count: String(tasks) };
  const planned = planRun('noop', { set, transport: 'nats', policy: 'awf', retries: 0, ...options });
  return (1000 * tasks) / (await timeRun(client, planned, () => {}));
}

function figuresOf({ bare, batches, alone }: Measured): Figure[] {
  const reference = median(bare);
  const against = `a bare JetStream work queue (${digits(reference)} messages/s)`;
  return [
    rateFigure({
      name: 'queue: 2M tasks, results read',
      value: median(batches),
      unit: 'tasks/s',
      reference,
      against: `${against}; goal ${digits(GOAL_TASKS_PER_S)} tasks/s`,
      goalValue: GOAL_TASKS_PER_S,
    }),
    rateFigure({
      name: 'queue: 8k tasks at --chunk 1, results read',
      value: median(alone),
      unit: 'tasks/s',
      reference,
      against,
    }),
  ];
}

const say = (what: string): void => void process.stderr.write(`queue: ${what}\n`);
