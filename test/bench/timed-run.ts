/** One run, timed as a client sees it: from the call of submit to the news of its end. */
import { packCount } from '@regatta/workloads';
import type { Client } from '../../services/coordinator/src/cli/client.ts';
import { submit } from '../../services/coordinator/src/cli/follow.ts';
import type { PlannedRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { ResultPart } from '../../services/coordinator/src/cli/views.ts';
import { within } from './waiting.ts';

const RUN_MS_MAX = 120_000;

/** What is done with the parts of a run's results as they come in. */
export type Reader = (part: ResultPart) => void;

/**
 * @param reader undefined to leave the results where they are; else the clock stops at the last of them, if later
 * @returns ms
 * @throws where not every task succeeds, or not each has a result
 */
export async function timeRun(client: Client, planned: PlannedRun, reader?: Reader): Promise<number> {
  const { tasks } = planned.spec;
  const startedAt = performance.now();
  const runId = await submit(client, planned);
  const reading = reader === undefined ? [] : [readResults(client, runId, tasks, reader)];
  await within(RUN_MS_MAX, `the end of ${runId}`, Promise.all([awaitEnd(client, runId, tasks), ...reading]));
  return performance.now() - startedAt;
}

async function awaitEnd(client: Client, runId: string, tasks: number): Promise<void> {
  let succeeded = 0;
  for await (const run of client.watch(runId)) succeeded = run.succeeded;
  if (succeeded !== tasks) throw new Error(`${runId}: ${succeeded} of ${tasks} tasks succeeded`);
}

async function readResults(client: Client, runId: string, tasks: number, reader: Reader): Promise<void> {
  let received = 0;
  for await (const part of client.results(runId)) {
    reader(part);
    received += packCount(part.results);
  }
  if (received !== tasks) throw new Error(`${runId}: ${received} results of ${tasks} tasks were received`);
}
