/**
 * Parallel efficiency: how much of what two bare forked processes reach is left when a coordinator, node-agents and
 * chunks stand in between. Same tasks, same machine, turn by turn.
 */
import { median } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun, type RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import { startEphemeral } from '../../services/coordinator/src/embedded/cluster.ts';
import { BareForks } from './bare-fork.ts';
import type { Bench, Figure } from './figure.ts';

const ROUNDS = 5;
const GOAL = 0.95;
const WORKLOAD = 'number-cruncher';
const SET = { n: '80_000_000', count: '40' };

const CONTENDERS: readonly { readonly name: string; readonly options: Partial<RunOptions> }[] = [
  { name: 'processes', options: { model: 'processes', processes: 2, nodes: 1 } },
  { name: 'threads', options: { model: 'threads', threads: 2, nodes: 1 } },
  { name: 'two nodes, one lane each', options: { model: 'processes', processes: 1, nodes: 2 } },
];

export const efficiency: Bench = async () => {
  const cluster = await startEphemeral(2);
  const client = new Client(cluster.address);
  const forks = BareForks.start(2);
  const fork: number[] = [];
  const walls = CONTENDERS.map((): number[] => []);
  const { params, spec } = planRun(WORKLOAD, { set: SET, policy: 'awf', retries: 0 });
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      process.stderr.write(`efficiency: round ${round} of ${ROUNDS}${round === 0 ? ' (warm-up, not counted)' : ''}\n`);
      const bare = await forks.time(WORKLOAD, params, spec.tasks);
      if (round > 0) fork.push(bare);
      for (const [i, { options }] of CONTENDERS.entries()) {
        const wall = await timeRun(client, options);
        if (round > 0) walls[i]!.push(wall);
      }
    }
  } finally {
    forks.end();
    client.close();
    await cluster.end();
  }
  return CONTENDERS.map(({ name }, i) => figureOf(name, walls[i]!, fork));
};

/** As a client sees it: from the call to submit to the news of the end. */
async function timeRun(client: Client, options: Partial<RunOptions>): Promise<number> {
  const { spec } = planRun(WORKLOAD, { set: SET, policy: 'awf', retries: 0, ...options });
  const startedAt = performance.now();
  const runId = await client.submit(spec);
  let succeeded = 0;
  for await (const run of client.watch(runId)) succeeded = run.succeeded;
  const wall = performance.now() - startedAt;
  if (succeeded !== spec.tasks) throw new Error(`${runId}: ${succeeded} of ${spec.tasks} tasks succeeded`);
  return wall;
}

/** The ratio is taken round by round: a machine that slows down slows both. */
function figureOf(name: string, walls: readonly number[], fork: readonly number[]): Figure {
  const ratio = median(walls.map((wall, i) => fork[i]! / wall));
  const against = `two bare fork()ed processes (${Math.round(median(fork))} ms)`;
  return {
    name: `efficiency: ${name}`,
    value: median(walls),
    unit: 'ms',
    ratio,
    against,
    goal: GOAL,
    ok: ratio >= GOAL,
  };
}
