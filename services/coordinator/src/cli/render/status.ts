/** How the coordinator does and what bounds are kept to, in words and in JSON. */
import { views as commandLimits } from '../limits.ts';
import type { CoordinatorView, NodeView } from '../views.ts';
import { bytes, milliseconds, plural, whole } from './format.ts';
import { limitTables, nodeLimitTables } from './limits.ts';

export function verboseObject(status: object, coordinator: CoordinatorView, nodes: readonly NodeView[]): object {
  const nodeLimits = nodes.map(({ id, limits }) => ({ node: id, limits }));
  return { ...status, figures: coordinator, nodeLimits, commandLimits: commandLimits() };
}

export function verboseText(coordinator: CoordinatorView, nodes: readonly NodeView[]): string {
  const { version, uptimeMs, rssBytes, runsActive, runsKept, keptMemoryBytes, keptDiskBytes } = coordinator;
  const { steps, stepMeanUs, stepMaxUs } = coordinator;
  return [
    '',
    `version ${version}, up for ${milliseconds(uptimeMs)}, memory ${bytes(rssBytes)}`,
    `${plural(runsActive, 'run')} active, ${whole(runsKept)} remembered; results and inputs: ${bytes(keptMemoryBytes)} in memory, ${bytes(keptDiskBytes)} on disk`,
    `scheduler: ${plural(steps, 'step')}, mean ${stepMeanUs.toFixed(1)} µs, longest ${(stepMaxUs / 1000).toFixed(1)} ms`,
    '',
    ...limitTables('the coordinator', coordinator.limits),
    ...nodeLimitTables(nodes),
    ...limitTables('the command line', commandLimits()),
  ].join('\n');
}
