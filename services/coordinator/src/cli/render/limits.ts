/** Bounds as tables: one for each part of a process, and for nodes that are like another only what is not. */
import { groupOf, type LimitView } from '@regatta/kernel';
import type { NodeView } from '../views.ts';
import { bytes, whole } from './format.ts';
import { table } from './table.ts';

const PARTS: Readonly<Record<string, string>> = {
  scheduler: 'its scheduler',
  fanout: 'its end of the queue in NATS',
  politeness: 'its politeness towards targets',
  journal: 'its journal and its lease in NATS',
  metrics: 'its metrics and who reads them',
  access: 'tokens and passwords',
  broker: 'its connection to NATS',
  proto: 'messages and how it asks NATS for them',
  embedded: 'a nats-server of its own',
  doctor: 'what regatta doctor warns of',
  host: 'each of its host processes',
};

/** @param whose whose they are. @returns a heading and a table for each part */
export function limitTables(whose: string, limits: readonly LimitView[]): string[] {
  const parts = Map.groupBy(limits, ({ name }) => groupOf(name).group);
  return [...parts].flatMap(([group, views]) => [
    `Limits of ${whose}${group === '' ? '' : `: ${PARTS[group] ?? group}`}`,
    limitTable(views.map((view) => ({ ...view, name: groupOf(view.name).bare }))),
  ]);
}

/** Most nodes are alike: a screenful for each would hide where one is not. Those that tell none are left out. */
export function nodeLimitTables(nodes: readonly NodeView[]): string[] {
  const [first, ...rest] = nodes.filter(({ limits }) => limits.length > 0);
  if (first === undefined) return [];
  return [...limitTables(`node ${first.id}`, first.limits), ...rest.flatMap((node) => comparedTables(node, first))];
}

function comparedTables({ id, limits }: NodeView, model: NodeView): string[] {
  const known = new Map(model.limits.map((view) => [view.name, view]));
  // Of another version.
  if (limits.length !== known.size || !limits.every(({ name }) => known.has(name)))
    return limitTables(`node ${id}`, limits);
  const others = limits.filter(
    ({ name, value, unit }) => value !== known.get(name)!.value || unit !== known.get(name)!.unit,
  );
  if (others.length === 0) return [`Limits of node ${id}: those of node ${model.id}\n`];
  return [`Limits of node ${id}: those of node ${model.id}, but`, limitTable(others)];
}

const limitTable = (limits: readonly LimitView[]): string =>
  table(
    [
      { head: 'limit', cell: ({ name }) => name },
      { head: 'value', cell: quantity, align: 'right' },
      { head: 'of what', cell: ({ description }) => description },
    ],
    limits,
  );

const LONGER_MS = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

/** A bound is exact: times go in larger units only where nothing is lost by that. */
function quantity({ value, unit }: LimitView): string {
  if (unit === 'bytes') return bytes(value);
  const longer = unit === 'ms' && value >= 10_000 ? LONGER_MS.find(([ms]) => value % ms === 0) : undefined;
  if (longer !== undefined) return `${whole(value / longer[0])} ${longer[1]}`;
  return `${Number.isInteger(value) ? whole(value) : value} ${unit}`;
}
