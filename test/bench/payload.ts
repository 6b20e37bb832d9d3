/**
 * Large inputs and outputs: tasks that give back the 1 MiB each that they were sent. All of it goes from the client by
 * way of the coordinator and an agent to a host process, and back.
 *
 * Against a bare gRPC stream, turn by turn: the same bytes in messages of the same kind, from this process to one other
 * (all inputs one way, then all outputs the other), with nothing behind it. Ours takes two such ways each way, and one
 * more between agent and host.
 */
import { once } from 'node:events';
import { credentials } from '@grpc/grpc-js';
import { median } from '@regatta/kernel';
import { ControlServiceClient } from '@regatta/proto/control';
import { encodeValue, pack } from '@regatta/workloads';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { submit } from '../../services/coordinator/src/cli/follow.ts';
import { type PlannedRun, planRun } from '../../services/coordinator/src/cli/run-options.ts';
import { startEphemeral } from '../../services/coordinator/src/embedded/cluster.ts';
import { BareServer } from './bare-server.ts';
import type { Bench } from './figure.ts';
import { within } from './waiting.ts';

const ROUNDS = 3;
const TASKS = 200;
const INPUT_BYTES = 1_048_576;
const GOAL = 0.5;
const ROUND_MS_MAX = 60_000;

export const payload: Bench = async () => {
  const server = await BareServer.start();
  const bare = new ControlServiceClient(server.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 2 * INPUT_BYTES,
  });
  const cluster = await startEphemeral(2);
  const client = new Client(cluster.address);
  const planned = planRun('echo', { set: { count: String(TASKS) }, policy: 'awf', retries: 0 });
  const [bareMs, ourMs]: [number[], number[]] = [[], []];
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      process.stderr.write(`payload: round ${round} of ${ROUNDS}${round === 0 ? ' (warm-up, not counted)' : ''}\n`);
      const bareTime = await within(ROUND_MS_MAX, 'the bare stream', timeBare(bare, planned));
      const ourTime = await within(ROUND_MS_MAX, 'the run', timeRun(client, planned));
      if (round === 0) continue;
      bareMs.push(bareTime);
      ourMs.push(ourTime);
    }
  } finally {
    client.close();
    await cluster.end();
    bare.close();
    server.end();
  }
  const ratio = median(ourMs.map((ms, i) => bareMs[i]! / ms));
  const rate = (ms: number): number => (2 * TASKS * INPUT_BYTES) / 2 ** 20 / (ms / 1000);
  return [
    {
      name: 'payload: 1 MiB in, 1 MiB out',
      value: rate(median(ourMs)),
      unit: 'MiB/s',
      ratio,
      against: `a bare gRPC stream (${Math.round(rate(median(bareMs)))} MiB/s)`,
      goal: GOAL,
      ok: ratio >= GOAL,
    },
  ];
};

/** In ms. */
async function timeBare(bare: ControlServiceClient, { workload, params }: PlannedRun): Promise<number> {
  const startedAt = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = bare.submitRunWithInputs((error, response) => {
    if (error === null) resolve(response.runId);
    else reject(error);
  });
  call.write({ frame: undefined });
  for (const input of workload.inputs!(params)) {
    const value = pack([encodeValue(input)]);
    if (!call.write({ frame: { $case: 'inputs', value } })) await once(call, 'drain');
  }
  call.end();
  const runId = await promise;
  let bytes = 0;
  for await (const { parts } of bare.streamResults({ runId })) {
    for (const { results } of parts) bytes += results.byteLength;
  }
  if (bytes < TASKS * INPUT_BYTES) throw new Error(`the bare stream gave ${bytes} bytes`);
  return performance.now() - startedAt;
}

/** In ms, from the first input to the last output. */
async function timeRun(client: Client, planned: PlannedRun): Promise<number> {
  const startedAt = performance.now();
  const runId = await submit(client, planned);
  let bytes = 0;
  for await (const { results } of client.results(runId)) bytes += results.byteLength;
  if (bytes < TASKS * INPUT_BYTES) throw new Error(`${runId} gave ${bytes} bytes of results`);
  return performance.now() - startedAt;
}
