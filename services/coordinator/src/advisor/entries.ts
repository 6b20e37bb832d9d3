/**
 * Who races: each model on one node at full width, then all nodes with as many lanes as there are cores. Work that waits
 * is raced with more threads than cores, too, and with more in flight than that: to see where threads stop paying.
 */
import type { Shape } from '@regatta/scheduler';
import { type ModelName, modelNames, shapeOf, type Widths } from '../cli/models.ts';
import type { NodeView, RunSpec } from '../cli/views.ts';
import { limits } from '../engine/limits.ts';

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

/** For work that waits: threads a core, and tasks in flight on the one thread of async, where it is to show its width. */
const IO_THREADS_PER_CORE = 16;
const IO_CONCURRENCY_WIDE = 512;

/** @param base the run that all entries do, each its own way */
export function entriesFor(base: RunSpec, nodes: readonly NodeView[], concurrency: number | undefined): Entry[] {
  const asked: Widths = concurrency === undefined ? {} : { concurrency };
  const entry = (model: ModelName, nodes: number, widths: Widths = {}): Entry => {
    const wide = model === 'async' || model === 'hybrid' ? { ...widths, ...asked } : widths;
    return { model, nodes, spec: { ...base, model, nodes, shape: shapeOf(model, base.kind, wide) } };
  };
  const alone = (['serial', 'async', 'threads', 'processes', 'hybrid'] as const).map((model) => entry(model, 1));
  if (base.kind === 'io') {
    const cores = Math.max(...nodes.map((node) => node.cores));
    if (concurrency === undefined) alone.push(entry('async', 1, { concurrency: IO_CONCURRENCY_WIDE }));
    alone.push(entry('threads', 1, { threads: Math.min(IO_THREADS_PER_CORE * cores, limits.shapeSideMax) }));
    alone.sort((a, b) => modelNames.indexOf(a.model) - modelNames.indexOf(b.model));
  }
  if (nodes.length === 1) return alone;
  const together: ModelName[] = base.kind === 'io' ? ['async', 'processes'] : ['processes'];
  // With one core a node, threads and processes are the same there.
  if (totalCores(nodes) > nodes.length) together.push('threads');
  return [...alone, ...together.map((model) => entry(model, nodes.length))];
}

/** An entry that is not raced, for it would take too long. */
export interface LeftOut {
  readonly model: ModelName;
  readonly nodes: number;
  /** On each node. */
  readonly shape: Shape;
  /** What one of its runs would take. */
  readonly aboutMs: number;
}

/**
 * What an entry would come to that is not run.
 * @param taskMs that one task takes, whatever goes on beside it: true of work that waits
 */
export function unrun({ model, nodes, spec }: Entry, on: readonly NodeView[], taskMs: number): LeftOut {
  const cores = Math.max(...on.map((node) => node.cores));
  const { processes, threads, concurrency } = spec.shape;
  const shape = { processes: processes || cores, threads: threads || cores, concurrency };
  const lanes = nodes * shape.processes * shape.threads * concurrency;
  return { model, nodes, shape, aboutMs: (spec.tasks * taskMs) / Math.min(lanes, spec.tasks) };
}
