/**
 * Every metric that a query may name, with its labels and, where these are closed sets, their values: what both services
 * register, what Prometheus adds, and what the recording rules make.
 */
import { createRegistry } from '@regatta/observe';
import {
  labelValues,
  metricLabelValues as valuesOfCoordinator,
} from '../../services/coordinator/src/observe/label-values.ts';
import { createMetrics as createCoordinatorMetrics } from '../../services/coordinator/src/observe/metrics.ts';
import { metricLabelValues as valuesOfAgent } from '../../services/node-agent/src/observe/label-values.ts';
import { createMetrics as createAgentMetrics } from '../../services/node-agent/src/observe/metrics.ts';
import type { Matcher } from './promql.ts';

/** By name, as Prometheus stores it: of a histogram its `_bucket`, `_sum` and `_count`. */
export type Known = ReadonlyMap<string, ReadonlySet<string>>;

/** Every series has these. */
const OF_TARGETS = ['job', 'instance'];

interface Family {
  readonly name: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

const familiesOf = (register: (registry: ReturnType<typeof createRegistry>) => unknown): Family[] => {
  const registry = createRegistry();
  register(registry);
  return registry.getMetricsAsArray() as unknown as Family[];
};

const ofCoordinator = familiesOf(createCoordinatorMetrics);
const ofAgent = familiesOf(createAgentMetrics);

/** The metrics of both services, each once. */
export const families: readonly string[] = [...new Set([...ofCoordinator, ...ofAgent].map(({ name }) => name))].sort();

/** What stores a family: itself, or the parts of a histogram. */
const seriesOf = ({ name, type, labelNames }: Family): [string, readonly string[]][] =>
  type === 'histogram' || type === 'summary'
    ? [
        [`${name}_bucket`, [...labelNames, 'le']],
        [`${name}_sum`, labelNames],
        [`${name}_count`, labelNames],
      ]
    : [[name, labelNames]];

/** @param recorded names of recording rules: `level_level:metric:operations`, whose labels are the levels */
export function knownMetrics(recorded: readonly string[]): Known {
  const known = new Map<string, Set<string>>();
  const add = (name: string, labels: readonly string[]): void => {
    known.set(name, new Set([...(known.get(name) ?? []), ...labels]));
  };
  for (const family of ofCoordinator)
    for (const [name, labels] of seriesOf(family)) add(name, [...labels, ...OF_TARGETS]);
  // Which node an agent is of comes with the target, from the coordinator.
  for (const family of ofAgent)
    for (const [name, labels] of seriesOf(family)) add(name, [...labels, ...OF_TARGETS, 'node']);
  add('up', [...OF_TARGETS, 'node']);
  add('ALERTS', ['alertname', 'alertstate', 'severity', 'node', 'instance']);
  for (const name of recorded) {
    const parts = name.split(':');
    add(name, parts.length === 3 ? parts[0]!.split('_') : []);
  }
  return known;
}

/** The family that a series is of: without what a histogram appends. */
export const familyOf = (series: string): string =>
  families.includes(series) ? series : series.replace(/_(bucket|sum|count)$/, '');

/** What a label may say; undefined where that is anything. */
function valuesOf(series: string, label: string): readonly string[] | undefined {
  const name = familyOf(series);
  return valuesOfCoordinator[name]?.[label] ?? valuesOfAgent[name]?.[label] ?? labelValues[label];
}

/** Why nothing that is told can be what the matcher asks for, or against; undefined where something can. */
export function neverTold({ metric, label, operator, value }: Matcher): string | undefined {
  const values = valuesOf(metric, label);
  if (values === undefined) return undefined;
  // Of alternatives each must be possible: the others would hide one that is not.
  const asked = operator.endsWith('~') ? value.split('|') : [value];
  const possible = (one: string): boolean =>
    operator.endsWith('~') ? values.some((told) => new RegExp(`^(?:${one})$`).test(told)) : values.includes(one);
  const never = asked.filter((one) => !possible(one));
  if (never.length === 0) return undefined;
  return `${metric} has no ${label} ${never.map((one) => `"${one}"`).join(', ')}; there are ${values.join(', ')}`;
}

/** Labels whose values are listed, by metric. */
export const listedLabels: readonly (readonly [metric: string, label: string])[] = [
  ...Object.entries(valuesOfCoordinator),
  ...Object.entries(valuesOfAgent),
].flatMap(([metric, labels]) => Object.keys(labels).map((label) => [metric, label] as const));
