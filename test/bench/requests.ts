/**
 * 10,000 requests of 50 ms each to a local target: the whole way of an I/O run, chunks over JetStream, two nodes that each
 * wait for many answers on one event loop, every step in the journal. Against one bare Node process with undici that has
 * as many requests in flight as both nodes together (see bare-requests.ts), turn by turn.
 *
 * - Rates are from the call of submit to the news of the end; connections and processes are warm for both.
 * - CPU time is user and system of all that is at work: coordinator, nats-server, agents, their hosts and the client,
 *   against that of the bare process. The target has a process of its own and is in neither.
 */

import { startNats } from '@regatta/broker/testing';
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { type PlannedRun, planRun } from '../../services/coordinator/src/cli/run-options.ts';
import { BareRequests } from './bare-requests.ts';
import { cpuDuring } from './cpu-time.ts';
import { type Bench, costFigure, type Figure } from './figure.ts';
import { digits } from './numbers.ts';
import { Site } from './site.ts';
import { TargetProcess } from './target-process.ts';
import { timeRun } from './timed-run.ts';

const REQUESTS = 10_000;
/** Two hosts are to be as warm as the bare process. */
const WARM_UP_REQUESTS = 5_000;
const WAIT_MS = 50;
/** In flight on each of two nodes, as the async model has it by itself; for the bare process twice that. */
const CONCURRENCY = 64;
const ROUNDS = 3;
const GOAL = 0.9;

/** Of one round of one contender. */
interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Contenders {
  readonly ours: (requests: number) => Promise<Cost>;
  readonly bare: (requests: number) => Promise<Cost>;
}

export const requests: Bench = async () => {
  await using nats = await startNats();
  const site = await Site.start(nats);
  const client = new Client(site.address);
  const target = await TargetProcess.start(WAIT_MS);
  const bare = new BareRequests();
  const base = `${target.url}/`;
  try {
    return await takeTurns({
      ours: (count) =>
        costOf(
          () => [...site.processes(), process.pid],
          () => timeRun(client, plan(base, count)),
        ),
      bare: (count) =>
        costOf(
          () => [bare.pid],
          () => bare.time({ base, requests: count, atOnce: 2 * CONCURRENCY }),
        ),
    });
  } finally {
    bare.end();
    target.end();
    client.close();
    await site.end();
  }
};

const plan = (base: string, count: number): PlannedRun =>
  planRun('web-scraper', {
    set: { base, count: String(count) },
    model: 'async',
    concurrency: CONCURRENCY,
    transport: 'nats',
    policy: 'awf',
    retries: 0,
  });

async function costOf(processes: () => readonly number[], time: () => Promise<number>): Promise<Cost> {
  let wallMs = 0;
  const cpuMs = await cpuDuring(processes, async () => {
    wallMs = await time();
  });
  return { wallMs, cpuMs };
}

async function takeTurns({ ours, bare }: Contenders): Promise<Figure[]> {
  const rounds: { readonly ours: Cost; readonly bare: Cost }[] = [];
  say(`warm-up, not counted`);
  await bare(WARM_UP_REQUESTS);
  await ours(WARM_UP_REQUESTS);
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`);
    rounds.push({ bare: await bare(REQUESTS), ours: await ours(REQUESTS) });
  }
  return figuresOf(
    rounds.map((round) => round.ours),
    rounds.map((round) => round.bare),
  );
}

/** Ratios are taken round by round: a machine that slows down slows both. */
function figuresOf(ours: readonly Cost[], bare: readonly Cost[]): Figure[] {
  const name = `requests: ${digits(REQUESTS)} of ${WAIT_MS} ms, ${2 * CONCURRENCY} in flight`;
  const other = 'a bare Node with undici';
  const ratio = median(ours.map(({ wallMs }, i) => bare[i]!.wallMs / wallMs));
  const perS = (costs: readonly Cost[]): number => median(costs.map(({ wallMs }) => (1000 * REQUESTS) / wallMs));
  const cpuUs = (costs: readonly Cost[]): number => median(costs.map(({ cpuMs }) => (1000 * cpuMs) / REQUESTS));
  return [
    {
      name,
      value: perS(ours),
      unit: 'requests/s',
      ratio,
      against: `${other}, as many in flight (${digits(perS(bare))} requests/s)`,
      goal: GOAL,
      ok: ratio >= GOAL,
    },
    costFigure({
      name: 'requests: CPU time of one, all processes',
      value: cpuUs(ours),
      unit: 'µs',
      reference: cpuUs(bare),
      against: `${other} (${digits(cpuUs(bare))} µs)`,
    }),
  ];
}

const say = (what: string): void => void process.stderr.write(`requests: ${what}\n`);
