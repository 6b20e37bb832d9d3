/** The workloads that this process can run. */
import { builtinWorkloads, type Parameter, type Workload } from '@regatta/workloads';
import type { WorkloadCard } from './messages.ts';

const byName = new Map<string, Workload>(builtinWorkloads.map((workload) => [workload.name, workload]));

/** @throws Error for a name that no card of ours offers: the coordinator sent a run to the wrong node */
export function findWorkload(name: string): Workload {
  const workload = byName.get(name);
  if (workload === undefined) throw new Error(`this node has no workload ${name}`);
  return workload;
}

/** What the node tells the coordinator of them. */
export const cards: readonly WorkloadCard[] = builtinWorkloads.map(({ name, kind, summary, parameters }) => ({
  name,
  kind,
  summary,
  parameters: Object.entries(parameters as Readonly<Record<string, Parameter>>).map(([key, parameter]) => ({
    name: key,
    default: parameter.default as number | string | boolean,
    unit: parameter.unit ?? '',
    description: parameter.description,
  })),
}));
