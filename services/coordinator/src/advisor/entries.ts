/** Who races: each model on one node at full width, then all nodes with as many lanes as there are cores. */
import { type ModelName, shapeOf } from '../cli/models.ts';
import type { NodeView, RunSpec } from '../cli/views.ts';

export interface Entry {
  readonly model: ModelName;
  /** How many nodes it uses. */
  readonly nodes: number;
  readonly spec: RunSpec;
}

/** Cores of the cluster; nodes on one machine share its cores. */
export function totalCores(nodes: readonly NodeView[]): number {
  const byMachine = new Map<string, number>();
  for (const { machine, cores } of nodes) byMachine.set(machine, Math.max(byMachine.get(machine) ?? 0, cores));
  return [...byMachine.values()].reduce((sum, cores) => sum + cores, 0);
}

/** @param base the run that all entries do, each its own way */
export function entriesFor(base: RunSpec, nodes: readonly NodeView[], concurrency: number | undefined): Entry[] {
  const widths = concurrency === undefined ? {} : { concurrency };
  const entry = (model: ModelName, nodes: number): Entry => {
    const wide = model === 'async' || model === 'hybrid' ? widths : {};
    return { model, nodes, spec: { ...base, model, nodes, shape: shapeOf(model, base.kind, wide) } };
  };
  const alone = (['serial', 'async', 'threads', 'processes', 'hybrid'] as const).map((model) => entry(model, 1));
  if (nodes.length === 1) return alone;
  const together: ModelName[] = base.kind === 'io' ? ['async', 'processes'] : ['processes'];
  // With one core a node, threads and processes are the same there.
  if (totalCores(nodes) > nodes.length) together.push('threads');
  return [...alone, ...together.map((model) => entry(model, nodes.length))];
}
