/**
 * What the journal costs: the same run of tasks that do nothing on two clusters, one that writes every step to JetStream
 * before it counts, one without NATS. Chunks go over gRPC on both. Turn by turn, who is first alternating; the ratio is
 * that of the median round.
 *
 * To the news of the end: a client that read results would share the machine and hide a part of the cost.
 */
import { startNats } from '@regatta/broker/testing';
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { Bench, Figure } from './figure.ts';
import { digits } from './numbers.ts';
import { Site } from './site.ts';
import { timeRun } from './timed-run.ts';

const TASKS = 4_000_000;
const ROUNDS = 7;
const GOAL = 0.9;

export const journal: Bench = async () => {
  await using nats = await startNats();
  const sites: Site[] = [];
  const clients: Client[] = [];
  try {
    for (const its of [nats, undefined]) {
      const site = await Site.start(its);
      sites.push(site);
      clients.push(new Client(site.address));
    }
    return [figureOf(await takeTurns(clients[0]!, clients[1]!))];
  } finally {
    for (const client of clients) client.close();
    await Promise.all(sites.map((site) => site.end()));
  }
};

/** Tasks a second, by round. */
interface Rates {
  readonly kept: number[];
  readonly bare: number[];
}

async function takeTurns(kept: Client, bare: Client): Promise<Rates> {
  const rates: Rates = { kept: [], bare: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    process.stderr.write(`journal: round ${round} of ${ROUNDS}${round === 0 ? ' (warm-up, not counted)' : ''}\n`);
    const turns = [
      async () => rates.kept.push(await rateOf(kept)),
      async () => rates.bare.push(await rateOf(bare)),
    ] as const;
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  return { kept: rates.kept.slice(1), bare: rates.bare.slice(1) };
}

async function rateOf(client: Client): Promise<number> {
  const planned = planRun('noop', { set: { count: String(TASKS) }, transport: 'grpc', policy: 'awf', retries: 0 });
  return (1000 * TASKS) / (await timeRun(client, planned));
}

function figureOf({ kept, bare }: Rates): Figure {
  const ratio = median(kept.map((rate, i) => rate / bare[i]!));
  return {
    name: 'journal: 4M tasks, with it',
    value: median(kept),
    unit: 'tasks/s',
    ratio,
    against: `the same without NATS (${digits(median(bare))} tasks/s)`,
    goal: GOAL,
    ok: ratio >= GOAL,
  };
}
