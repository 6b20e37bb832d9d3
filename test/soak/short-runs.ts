/** Runs of a few tasks that do nothing, one after another: what is left of each is what Regatta keeps of a run. */
import type { Client } from '../../services/coordinator/src/cli/client.ts';
import { collect, valuesOf } from '../../services/coordinator/src/cli/results.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { within } from '../bench/waiting.ts';
import type { Tally } from './tally.ts';

const KIND = 'short';
const TASKS_MAX = 20;
/** Of every so many the results are read. */
const READ_EVERY = 10;
const RUN_MS_MAX = 60_000;

/** @returns how many a second; what is wrong with one is told to the tally, and the rest go on */
export async function shortRuns(client: Client, count: number, tally: Tally, stop: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  let done = 0;
  for (; done < count && !stop.aborted; done++) {
    try {
      await within(RUN_MS_MAX, 'the end of a short run', shortRun(client, 1 + (done % TASKS_MAX), done, tally));
    } catch (thrown) {
      tally.wrong(`short run: ${(thrown as Error).message}`);
    }
  }
  return (1000 * done) / (performance.now() - startedAt);
}

async function shortRun(client: Client, tasks: number, serial: number, tally: Tally): Promise<void> {
  const { spec } = planRun('noop', { set: { count: String(tasks) }, policy: 'awf', retries: 0 });
  const runId = await client.submit(spec);
  let run: RunView | undefined;
  for await (const now of client.watch(runId)) run = now;
  tally.ended(KIND, run!);
  if (run!.state !== 'succeeded' || run!.succeeded !== tasks) {
    const [first] = run!.failures;
    throw new Error(
      `${runId} is ${run!.state} with ${run!.succeeded} of ${tasks} tasks; ${first?.code} ${first?.message}`,
    );
  }
  if (serial % READ_EVERY > 0) return;
  const values = [...valuesOf(await collect(client, runId))].map(({ value }) => value);
  if (values.some((value, task) => value !== task) || values.length !== tasks) {
    throw new Error(`${runId} gave ${values.join(' ')}`);
  }
}
