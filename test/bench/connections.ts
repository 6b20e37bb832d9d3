/**
 * A coordinator with 200 nodes on its hands and 1,000 runs that all want to be done at once: does it still hear and
 * answer every node in time? Nodes are simulated (see simulated-node.ts): each has a connection of its own, and does
 * its tasks in no time, so that the coordinator is what limits the pace. The nodes' processes and the client share the
 * machine with it; their delays are in the round trips.
 *
 * - A heartbeat's round trip is what its node measures, from the writing of it to the acknowledgement. The goal is that
 *   none takes more than half the lease, after which a node counts as lost.
 * - Heartbeats are against the same before any run was there; the longest of all against half the lease.
 * - Tasks and chunks a second are over all runs, from the first submission to the last end, by the coordinator's clock;
 *   against the same runs on two nodes. There are fewer tasks in a chunk where more lanes share them: a run of 2,000 on
 *   400 lanes is handed out in ones and twos.
 *
 * It fails, rather than miss a goal, where a link breaks, a node is lost or a run does not succeed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { limits } from '../../services/coordinator/src/engine/limits.ts';
import { Cluster } from '../integration/cluster.ts';
import { type Bench, costFigure, type Figure, rateFigure } from './figure.ts';
import { NodeFarm } from './node-farm.ts';
import { digits, quantile } from './numbers.ts';
import { within } from './waiting.ts';

const PROCESSES = 4;
const NODES_EACH = 50;
const RUNS = 1_000;
const TASKS = 2_000;
const IDLE_MS = 3_000;
const LOAD_MS_MAX = 120_000;
const GOAL_MS = limits.leaseMs / 2;

/** Over all runs, a second. */
interface Pace {
  readonly tasks: number;
  readonly chunks: number;
}

interface Measured {
  /** Round trips of heartbeats before the runs, in ms. */
  readonly idle: readonly number[];
  /** Likewise while the runs were under way. */
  readonly loaded: readonly number[];
  readonly pace: Pace;
  /** Of the scheduler, over all of it. */
  readonly stepMeanUs: number;
}

export const connections: Bench = async () => {
  const many = await measure(PROCESSES, NODES_EACH);
  const few = await measure(2, 1);
  return figuresOf(many, few);
};

function figuresOf({ idle, loaded, pace, stepMeanUs }: Measured, few: Measured): Figure[] {
  const what = `connections: ${PROCESSES * NODES_EACH} nodes, ${digits(RUNS)} runs`;
  const [idleP99, max] = [quantile(idle, 0.99), quantile(loaded, 1)];
  return [
    costFigure({
      name: `${what}, longest heartbeat`,
      value: max,
      unit: 'ms',
      reference: GOAL_MS,
      against: `half the lease (${digits(GOAL_MS)} ms)`,
      goalValue: GOAL_MS,
    }),
    costFigure({
      name: `${what}, heartbeat p99`,
      value: quantile(loaded, 0.99),
      unit: 'ms',
      reference: idleP99,
      against: `the same before any run (${digits(idleP99)} ms)`,
    }),
    costFigure({
      name: `${what}, mean scheduler step`,
      value: stepMeanUs,
      unit: 'µs',
      reference: few.stepMeanUs,
      against: `the same on two nodes (${digits(few.stepMeanUs)} µs)`,
    }),
    ...(['tasks', 'chunks'] as const).map((unit) =>
      rateFigure({
        name: `${what}, ${unit}`,
        value: pace[unit],
        unit: `${unit}/s`,
        reference: few.pace[unit],
        against: `the same on two nodes (${digits(few.pace[unit])} ${unit}/s)`,
      }),
    ),
  ];
}

async function measure(processes: number, nodesEach: number): Promise<Measured> {
  process.stderr.write(`connections: ${processes * nodesEach} nodes, ${RUNS} runs of ${TASKS} tasks\n`);
  await using cluster = await Cluster.start({ agents: 0 });
  const farm = await NodeFarm.start(cluster.address, processes, nodesEach);
  const client = new Client(cluster.address);
  try {
    await farm.take();
    await sleep(IDLE_MS);
    const { roundTrips: idle } = await farm.take();
    const pace = await within(LOAD_MS_MAX, `the end of ${RUNS} runs`, load(client));
    const { roundTrips: loaded, broken } = await farm.take();
    if (broken.length > 0) throw new Error(`${broken.length} links broke, the first of them ${broken[0]}`);
    await checkNodes(client, processes * nodesEach);
    const { stepMeanUs } = await client.status();
    return { idle, loaded, pace, stepMeanUs };
  } finally {
    client.close();
    farm.end();
  }
}

/** Submits all runs at once and awaits their ends. */
async function load(client: Client): Promise<Pace> {
  const { spec } = planRun('noop', { set: { count: String(TASKS) }, policy: 'awf', retries: 0 });
  const runIds = await Promise.all(Array.from({ length: RUNS }, () => client.submit(spec)));
  const runs: RunView[] = [];
  // One after another: a thousand watchers, told ten times a second, would be a load of another kind.
  for (const runId of runIds) runs.push(await endOf(client, runId));
  const startedAt = Math.min(...runs.map(({ submittedAtMs }) => submittedAtMs));
  const endedAt = Math.max(...runs.map(({ submittedAtMs, wallMs }) => submittedAtMs + wallMs));
  const seconds = (endedAt - startedAt) / 1000;
  const chunks = runs.reduce((sum, { accounting }) => sum + accounting.chunks, 0);
  return { tasks: (RUNS * TASKS) / seconds, chunks: chunks / seconds };
}

async function endOf(client: Client, runId: string): Promise<RunView> {
  let last: RunView | undefined;
  for await (const run of client.watch(runId)) last = run;
  if (last?.state === 'succeeded' && last.succeeded === TASKS) return last;
  throw new Error(`${runId} is ${last?.state} with ${last?.succeeded} of ${TASKS} tasks`);
}

async function checkNodes(client: Client, expected: number): Promise<void> {
  const alive = (await client.nodes()).filter(({ state }) => state === 'alive').length;
  if (alive !== expected) throw new Error(`${alive} of ${expected} nodes are alive`);
}
