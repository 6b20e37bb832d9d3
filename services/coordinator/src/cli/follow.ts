/** Submits a run and follows it to its end, stopping it when the person wants that. */
import { RegattaError } from '@regatta/kernel';
import type { Client } from './client.ts';
import { limits } from './limits.ts';
import { startProgress } from './render/progress.ts';
import type { PlannedRun } from './run-options.ts';
import { hasEnded, type RunView } from './views.ts';

/**
 * Follows the run until it has ended, with progress on stderr. When `interrupted` fires the run is cancelled, and
 * followed on until its nodes have let go of it.
 */
async function follow(client: Client, runId: string, title: string, interrupted: AbortSignal): Promise<RunView> {
  const cancel = (): void => void client.cancel(runId, 'interrupted from the keyboard').catch(() => {});
  if (interrupted.aborted) cancel();
  interrupted.addEventListener('abort', cancel);
  try {
    return await watchToEnd(client, runId, title);
  } finally {
    interrupted.removeEventListener('abort', cancel);
  }
}

/** Follows the run without ever touching it. */
export async function watchToEnd(client: Client, runId: string, title: string): Promise<RunView> {
  const progress = startProgress(title);
  const waiting = sayWhyItWaits(client, runId, (line) => progress.note(line));
  let last: RunView | undefined;
  try {
    for await (const run of client.watch(runId)) {
      last = run;
      waiting.refresh();
      progress.update(run.succeeded + run.failed, run.spec.tasks);
    }
  } catch (thrown) {
    if (last === undefined || !(thrown instanceof RegattaError && thrown.code === 'UNREACHABLE')) throw thrown;
    throw new RegattaError(
      'UNREACHABLE',
      `the coordinator went away while ${runId} was ${last.state}: ${thrown.message}`,
    );
  } finally {
    clearInterval(waiting);
    progress.finish();
  }
  return last !== undefined && hasEnded(last) ? last : client.run(runId);
}

/** What only somebody can mend; all else is work that takes its time. */
const MENDABLE = new Set(['NO_NODES', 'NO_NODE_OFFERS_WORKLOAD', 'NODES_DRAINING', 'NODE_SILENT', 'NATS_AWAY']);

/** Where nothing is heard of a run for a while, says why; each reason once. @returns a timer that news begins anew */
function sayWhyItWaits(client: Client, runId: string, say: (line: string) => void): NodeJS.Timeout {
  const said = new Set<string>();
  const look = async (): Promise<void> => {
    const { reasons } = await client.explain(runId);
    for (const { code, text } of reasons) {
      if (!MENDABLE.has(code) || said.has(code)) continue;
      said.add(code);
      say(`waiting: ${text}`);
    }
  };
  // Whoever cannot be asked is missed by who watches the run.
  return setInterval(() => void look().catch(() => {}), limits.waitingQuietMs);
}

/** Submits it as its workload wants: with inputs where tasks have them. @param onSent told how many inputs have gone */
export function submit(
  client: Client,
  planned: PlannedRun,
  interrupted?: AbortSignal,
  onSent?: (inputs: number) => void,
): Promise<string> {
  const { workload, params, spec } = planned;
  // Not cut short where it is one call: a run whose id is not known could not be cancelled.
  const { inputs } = workload;
  if (inputs === undefined) return client.submit(spec, interrupted);
  return client.submitWithInputs(spec, () => inputs(params), interrupted, onSent);
}

/** Likewise, with progress on stderr where inputs take long to send. */
async function submitInSight(
  client: Client,
  planned: PlannedRun,
  title: string,
  interrupted: AbortSignal,
): Promise<string> {
  const progress = startProgress(`${title}, sending inputs`, limits.uploadQuietMs);
  try {
    return await submit(client, planned, interrupted, (sent) => progress.update(sent, planned.spec.tasks));
  } finally {
    progress.finish();
  }
}

export async function submitAndFollow(
  client: Client,
  planned: PlannedRun,
  title: string,
  interrupted: AbortSignal,
): Promise<RunView> {
  const runId = await submitInSight(client, planned, title, interrupted);
  return follow(client, runId, title, interrupted);
}
