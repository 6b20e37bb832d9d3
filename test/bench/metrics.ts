/**
 * What metrics cost, and what they take.
 *
 * - Throughput: tasks that do nothing, through two clusters of this machine in turns: one that counts and is scraped every
 *   five seconds, one that does neither. The other one is idle meanwhile. The goal is 0.97 of what goes without.
 * - A scrape: `/metrics` of a coordinator with 200 nodes (simulated: only the coordinator is measured), as Prometheus asks
 *   for it: the time while they have nothing to do, the size while a run goes on over all of them. Goals: 100 ms and 2 MiB,
 *   at most.
 * - An agent: what is resident of its own process, its host processes apart, once it has come to rest, and the time
 *   from its fork to that; in both cases with metrics. Goals: 80 MiB and 1 s.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import { limits } from '../../services/node-agent/src/limits.ts';
import { Cluster, childrenOf } from '../integration/cluster.ts';
import { type Bench, costFigure, type Figure } from './figure.ts';
import { rssOf } from './memory.ts';
import { NodeFarm } from './node-farm.ts';
import { digits, MIB } from './numbers.ts';
import { timeRun } from './timed-run.ts';

const TASKS = 5_000_000;
/** Of clusters: how well a process was compiled stays with it, and makes more of a difference than what is measured. */
const PAIRS = 10;
const ROUNDS = 4;
const GOAL_THROUGHPUT = 0.97;
const SCRAPE_EVERY_MS = 5_000;
const NODES = 200;
const FARM_PROCESSES = 2;
const SCRAPES = 10;
/** A rendering is given to whoever asks within this time. */
const STALE_MS = 1_100;
const GOAL_SCRAPE_MS = 100;
const GOAL_SCRAPE_MIB = 2;
const AGENT_STARTS = 3;
const GOAL_AGENT_MIB = 80;
const GOAL_READY_MS = 1_000;
/** A while after its start an agent gives memory back. */
const SETTLE_MS = limits.restMs + 1_000;
const METRICS = ['--metrics', '127.0.0.1:0'];
const CLUSTER = { counting: { serveArgs: METRICS, agentArgs: METRICS }, bare: {} };
type Side = keyof typeof CLUSTER;
const OPENMETRICS = { accept: 'application/openmetrics-text; version=1.0.0' };

export const metrics: Bench = async () => [await throughput(), ...(await ofClusterOf(NODES)), ...(await ofAnAgent())];

async function throughput(): Promise<Figure> {
  const rates: Record<Side, number[]> = { counting: [], bare: [] };
  for (let pair = 1; pair <= PAIRS; pair++) {
    say(`tasks that do nothing: pair ${pair} of ${PAIRS}`);
    // Who comes first changes, here and in each round: whatever that does is to be nobody's disadvantage.
    const sides: readonly [Side, Side] = pair % 2 === 0 ? ['bare', 'counting'] : ['counting', 'bare'];
    await using first = await Cluster.start(CLUSTER[sides[0]]);
    await using second = await Cluster.start(CLUSTER[sides[1]]);
    const clusters = { [sides[0]]: first, [sides[1]]: second } as Record<Side, Cluster>;
    await whileScraped(await urlOf(clusters.counting), async () => {
      for (const cluster of [first, second]) await rateOf(cluster);
      for (let round = 1; round <= ROUNDS; round++)
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) rates[side].push(await rateOf(clusters[side]));
    });
  }
  const ratio = median(rates.counting.map((rate, i) => rate / rates.bare[i]!));
  return {
    name: `metrics: ${digits(TASKS)} no-op tasks, counted and scraped`,
    value: median(rates.counting),
    unit: 'tasks/s',
    ratio,
    against: `the same without metrics (${digits(median(rates.bare))} tasks/s), in turns`,
    goal: GOAL_THROUGHPUT,
    ok: ratio >= GOAL_THROUGHPUT,
  };
}

async function rateOf({ address }: Cluster): Promise<number> {
  const client = new Client(address);
  try {
    return (1000 * TASKS) / (await timeRun(client, noop(TASKS)));
  } finally {
    client.close();
  }
}

async function whileScraped<T>(url: string, doing: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const scraping = (async () => {
    while (!over.signal.aborted) {
      await scrape(url);
      await sleep(SCRAPE_EVERY_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  try {
    return await doing();
  } finally {
    over.abort();
    await scraping;
  }
}

async function ofClusterOf(nodes: number): Promise<Figure[]> {
  say(`a coordinator with ${nodes} nodes`);
  await using cluster = await Cluster.start({ agents: 0, serveArgs: METRICS });
  const url = await urlOf(cluster);
  const before = await scrape(url);
  const farm = await NodeFarm.start(cluster.address, FARM_PROCESSES, nodes / FARM_PROCESSES);
  const client = new Client(cluster.address);
  try {
    const bytes = await mostWhile(url, () => timeRun(client, chunksOfOne));
    const times: number[] = [];
    for (let i = 0; i < SCRAPES; i++) {
      await sleep(STALE_MS);
      times.push((await scrape(url)).ms);
    }
    const name = `metrics: a scrape of a coordinator with ${nodes} nodes`;
    const against = (figure: string): string => `one without nodes (${figure})`;
    return [
      costFigure({
        name: `${name}, time`,
        value: median(times),
        unit: 'ms',
        reference: before.ms,
        against: against(`${digits(before.ms)} ms`),
        goalValue: GOAL_SCRAPE_MS,
      }),
      costFigure({
        name: `${name} at work, size`,
        value: bytes / MIB,
        unit: 'MiB',
        reference: before.bytes / MIB,
        against: against(`${digits(before.bytes / MIB)} MiB`),
        goalValue: GOAL_SCRAPE_MIB,
      }),
    ];
  } finally {
    client.close();
    farm.end();
  }
}

/** @returns the size of the largest answer */
async function mostWhile(url: string, doing: () => Promise<unknown>): Promise<number> {
  let most = 0;
  let over = false;
  const done = doing().finally(() => {
    over = true;
  });
  while (!over) most = Math.max(most, (await scrape(url)).bytes);
  await done;
  return most;
}

async function ofAnAgent(): Promise<Figure[]> {
  await using cluster = await Cluster.start({ agents: 0, serveArgs: METRICS });
  const measured: { readyMs: number; bytes: number; hostBytes: number }[] = [];
  for (let i = 1; i <= AGENT_STARTS; i++) {
    say(`an agent: start ${i} of ${AGENT_STARTS}`);
    const startedAt = performance.now();
    const { pid, child } = await cluster.addAgent(`timed-${i}`, { args: METRICS });
    const readyMs = performance.now() - startedAt;
    await sleep(SETTLE_MS);
    measured.push({ readyMs, bytes: rssOf(pid), hostBytes: median(childrenOf(pid).map(rssOf)) });
    const gone = once(child, 'exit');
    child.kill('SIGQUIT');
    await gone;
  }
  const of = (figure: keyof (typeof measured)[number]): number => median(measured.map((one) => one[figure]));
  const hostMiB = of('hostBytes') / MIB;
  return [
    costFigure({
      name: 'metrics: idle memory of an agent, its hosts apart',
      value: of('bytes') / MIB,
      unit: 'MiB',
      reference: hostMiB,
      against: `one of its host processes (${digits(hostMiB)} MiB)`,
      goalValue: GOAL_AGENT_MIB,
    }),
    costFigure({
      name: 'metrics: an agent, start to ready',
      value: of('readyMs'),
      unit: 'ms',
      reference: GOAL_READY_MS,
      against: `the goal (${digits(GOAL_READY_MS)} ms)`,
      goalValue: GOAL_READY_MS,
    }),
  ];
}

async function urlOf({ address }: Cluster): Promise<string> {
  const client = new Client(address);
  try {
    return (await client.status()).metricsUrl;
  } finally {
    client.close();
  }
}

/** As Prometheus does it. @returns what it took, to the last byte */
async function scrape(url: string): Promise<{ ms: number; bytes: number }> {
  const startedAt = performance.now();
  const response = await fetch(url, { headers: OPENMETRICS });
  const { byteLength } = await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return { ms: performance.now() - startedAt, bytes: byteLength };
}

/** Long enough to be seen at work, over all nodes. */
const chunksOfOne = planRun('noop', { set: { count: '300000' }, policy: 'self', chunk: 1, retries: 0 });

const noop = (count: number) => planRun('noop', { set: { count: String(count) }, policy: 'awf', retries: 0 });

const say = (what: string): void => void process.stderr.write(`metrics: ${what}\n`);
