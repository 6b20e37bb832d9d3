/** Models as people name them, as shapes. Zeros are filled in on the node, from its share of cores. */
import { RegattaError } from '@regatta/kernel';
import type { Shape } from '@regatta/scheduler';

export const modelNames = ['serial', 'async', 'threads', 'processes', 'hybrid'] as const;
export type ModelName = (typeof modelNames)[number];

/** Tasks in flight in one thread, for workloads that mostly wait. */
const IO_CONCURRENCY = 64;
/** For workloads that compute it can gain nothing; two shows what it costs. */
const CPU_CONCURRENCY = 2;

export interface Widths {
  readonly processes?: number;
  readonly threads?: number;
  readonly concurrency?: number;
}

/** What suits the kind by the common rule; `race` measures whether it does. */
export const defaultModel = (kind: 'cpu' | 'io'): ModelName => (kind === 'cpu' ? 'processes' : 'async');

/** The model's shape with the given widths in it. @throws RegattaError BAD_SHAPE where the model has no such width */
export function shapeOf(model: ModelName, kind: 'cpu' | 'io', widths: Widths): Shape {
  const concurrency = kind === 'io' ? IO_CONCURRENCY : CPU_CONCURRENCY;
  const shapes: Record<ModelName, Shape> = {
    serial: { processes: 1, threads: 1, concurrency: 1 },
    async: { processes: 1, threads: 1, concurrency },
    threads: { processes: 1, threads: 0, concurrency: 1 },
    processes: { processes: 0, threads: 1, concurrency: 1 },
    hybrid: { processes: 0, threads: 0, concurrency },
  };
  const variable: Record<ModelName, readonly (keyof Shape)[]> = {
    serial: [],
    async: ['concurrency'],
    threads: ['threads'],
    processes: ['processes'],
    hybrid: ['processes', 'threads', 'concurrency'],
  };
  for (const [name, value] of Object.entries(widths) as [keyof Shape, number | undefined][]) {
    if (value === undefined || value === shapes[model][name] || variable[model].includes(name)) continue;
    const fixed = `there it is ${shapes[model][name]}`;
    throw new RegattaError(
      'BAD_SHAPE',
      `--${name} ${value} does not go with --model ${model}: ${fixed}; use --model hybrid`,
    );
  }
  return { ...shapes[model], ...widths };
}
