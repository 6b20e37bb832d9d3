/** How the coordinator does and what bounds are kept to, in words and in JSON. */
import type { LimitView } from '../../engine/limits.ts';
import type { CoordinatorView, NodeView } from '../views.ts';
import { bytes, milliseconds, plural, whole } from './format.ts';
import { table } from './table.ts';

export function verboseObject(status: object, coordinator: CoordinatorView, nodes: readonly NodeView[]): object {
  return { ...status, figures: coordinator, nodeLimits: nodes.map(({ id, limits }) => ({ node: id, limits })) };
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
    'Limits of the coordinator',
    limitsTable(coordinator.limits),
    ...nodes.flatMap(({ id, limits }) => (limits.length === 0 ? [] : [`Limits of node ${id}`, limitsTable(limits)])),
  ].join('\n');
}

const limitsTable = (limits: readonly LimitView[]): string =>
  table(
    [
      { head: 'limit', cell: (l) => l.name },
      {
        head: 'value',
        cell: (l) => (l.unit === 'bytes' ? bytes(l.value) : `${whole(l.value)} ${l.unit}`),
        align: 'right',
      },
      { head: 'of what', cell: (l) => l.description },
    ],
    limits,
  );
