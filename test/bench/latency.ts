/**
 * How long one task takes when nothing else is to be done: from the call of submit to its decoded result, on a cluster
 * that is warm. Runs of one task, one after another.
 *
 * The client does what `regatta run` could do at best: it submits, then reads the run's results as they are committed;
 * that stream gives the result before any news of the run's end. Three round trips at least (submit, a look at the run
 * that bounds the wait, the stream), and the coordinator's own two with a node and that node's with a host.
 *
 * Against one bare unary gRPC call, of the same client to a server that does nothing (see bare-server.ts), turn by turn
 * with the runs. The goal is absolute: 5 ms in the median. Dask distributed 2022.12 takes 10.7 ms: measured elsewhere.
 */
import { decodeValue, unpack } from '@regatta/workloads';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { RunSpec } from '../../services/coordinator/src/cli/views.ts';
import { startEphemeral } from '../../services/coordinator/src/embedded/cluster.ts';
import { BareServer } from './bare-server.ts';
import { type Bench, costFigure, type Figure } from './figure.ts';
import { digits, quantile } from './numbers.ts';
import { within } from './waiting.ts';

const RUNS = 300;
const WARM_UP_RUNS = 50;
const GOAL_MS = 5;
const RUN_MS_MAX = 10_000;

interface Times {
  readonly runs: number[];
  readonly calls: number[];
}

export const latency: Bench = async () => {
  const server = await BareServer.start();
  const bare = new Client(server.address);
  try {
    const cluster = await startEphemeral(2);
    const client = new Client(cluster.address);
    try {
      return figuresOf(await takeTurns(client, bare));
    } finally {
      client.close();
      await cluster.end();
    }
  } finally {
    bare.close();
    server.end();
  }
};

async function takeTurns(client: Client, bare: Client): Promise<Times> {
  const { spec } = planRun('noop', { set: { count: '1' }, policy: 'awf', retries: 0 });
  const times: Times = { runs: [], calls: [] };
  process.stderr.write(`latency: ${RUNS} runs of one task, after ${WARM_UP_RUNS} that are not counted\n`);
  for (let turn = 0; turn < WARM_UP_RUNS + RUNS; turn++) {
    const call = await timeCall(bare, spec);
    const run = await within(RUN_MS_MAX, 'the result of one task', timeRun(client, spec));
    if (turn < WARM_UP_RUNS) continue;
    times.calls.push(call);
    times.runs.push(run);
  }
  return times;
}

async function timeCall(bare: Client, spec: RunSpec): Promise<number> {
  const startedAt = performance.now();
  await bare.submit(spec);
  return performance.now() - startedAt;
}

/** The clock stops at the result; then the stream is read to its end, so that the next run finds nothing of this one. */
async function timeRun(client: Client, spec: RunSpec): Promise<number> {
  const startedAt = performance.now();
  const runId = await client.submit(spec);
  let ms: number | undefined;
  for await (const { results } of client.results(runId)) {
    const [entry] = unpack(results);
    if (entry === undefined || decodeValue(entry) !== 0)
      throw new Error(`${runId} gave another result than its task's`);
    ms = performance.now() - startedAt;
  }
  if (ms === undefined) throw new Error(`${runId} ended without a result`);
  return ms;
}

function figuresOf({ runs, calls }: Times): Figure[] {
  const reference = quantile(calls, 0.5);
  const call = `a bare unary gRPC call (p50 ${digits(reference)} ms)`;
  const unit = 'ms';
  return [
    costFigure({
      name: 'latency: submit to result, p50',
      value: quantile(runs, 0.5),
      unit,
      reference,
      against: `${call}; goal at most ${GOAL_MS} ms; elsewhere Dask 10.7`,
      goalValue: GOAL_MS,
    }),
    costFigure({
      name: 'latency: submit to result, p99',
      value: quantile(runs, 0.99),
      unit,
      reference: quantile(calls, 0.99),
      against: `a bare unary gRPC call (p99 ${digits(quantile(calls, 0.99))} ms)`,
    }),
  ];
}
