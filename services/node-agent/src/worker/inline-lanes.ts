/** Lanes on this process's own event loop: as many chunks side by side as the agent sends. */
import { newThread, workThrough } from './lane.ts';
import type { Emit, Lanes } from './lanes.ts';
import type { Stall } from './stall.ts';
import { findWorkload } from './workload-table.ts';

export function inlineLanes(stall: Stall, emit: Emit): Lanes {
  const thread = newThread(stall);
  return (run, shared, chunk, cancelled) =>
    workThrough({ workload: findWorkload(run.workload), run, chunk, shared, cancelled, emit }, thread);
}
