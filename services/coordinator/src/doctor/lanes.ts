/**
 * The lanes of a node beside what its machine and its CPU quota give them: those that it works with, which are its cores,
 * and those of runs that asked for more. Tasks in flight in one thread share its core, and those of I/O wait: they are not
 * counted.
 */
import { counted } from '@regatta/kernel';
import { milliseconds } from '../cli/render/format.ts';
import { hasEnded, type NodeView, type RunView } from '../cli/views.ts';
import { about, type Finding } from './finding.ts';

/** @param runs of the cluster. @param throttledMs that its quota held it back, in the moment between two looks */
export function judgeLanes(node: NodeView, runs: readonly RunView[], throttledMs: number): Finding {
  const { id, cores, osCores, quota, quotaLimited } = node;
  const { ok, warning, wrong } = about('nodes', `${id} lanes`);
  const has = quotaLimited ? `a quota of ${quotaText(quota)} of ${coresText(osCores)}` : coresText(osCores);
  const what = `${counted(cores, 'lane')} on ${has}`;
  const mend = `start it with --cores ${Math.max(1, Math.floor(quota))} or without --cores, or give its container more`;
  // One is the least.
  const room = Math.max(1, Math.ceil(quota));
  if (cores > room) return wrong(`${what}: they hold each other up`, mend);
  const widest = widestOn(id, runs);
  if (widest !== undefined && widest.lanes > room) {
    return warning(
      `${what}, and ${widest.runId} has ${widest.lanes} there: they hold each other up`,
      'give such a run fewer --processes and --threads, or the container of the node more CPU',
    );
  }
  if (throttledMs > 0) {
    return warning(
      `${what}: the quota held it back for ${milliseconds(throttledMs)} just now`,
      'give its container more CPU',
    );
  }
  if (cores > quota && cores > 1) return warning(`${what}: a quota of parts makes the last lane slow`, mend);
  return ok(what);
}

/** Of runs of CPU work that go on, and have got somewhere on this node. */
function widestOn(nodeId: string, runs: readonly RunView[]): { runId: string; lanes: number } | undefined {
  const there = runs
    .filter((run) => run.spec.kind === 'cpu' && !hasEnded(run))
    .flatMap(({ runId, accounting }) =>
      accounting.nodes.flatMap(({ node, shape }) =>
        node === nodeId ? [{ runId, lanes: shape.processes * shape.threads }] : [],
      ),
    );
  return there.reduce<(typeof there)[number] | undefined>(
    (widest, one) => (one.lanes > (widest?.lanes ?? 0) ? one : widest),
    undefined,
  );
}

const quotaText = (cores: number): string => String(Number(cores.toFixed(2)));
/** Of a quota, too, which may be of parts. */
export const coresText = (cores: number): string => `${quotaText(cores)} ${cores === 1 ? 'core' : 'cores'}`;
