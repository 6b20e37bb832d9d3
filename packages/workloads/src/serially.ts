/**
 * The oracle of tests: a workload run by the book, on the calling thread, one task after another. Whatever runs it
 * wider must give the same.
 */
import type { Parameters, TaskResult, WorkloadDefinition } from './define.ts';
import { resolveParameters } from './params.ts';

/** @throws whatever a task throws; nothing is retried */
export async function runSerially<P extends Parameters, Result, Combined, Shared, Input>(
  workload: WorkloadDefinition<P, Result, Combined, Shared, Input>,
  given: Partial<P> = {},
): Promise<{ params: P; results: TaskResult<Result>[]; combined: Combined }> {
  const params = resolveParameters(workload, given) as P;
  const shared = workload.shared?.(params) as Shared;
  const { signal } = new AbortController();
  const results: TaskResult<Result>[] = [];
  const inputs = workload.inputs?.(params)[Symbol.iterator]();
  for (let task = 0; task < workload.tasks(params); task++) {
    const input = inputs?.next().value as Input;
    results.push({ task, value: await workload.run(params, { task, attempt: 1, signal, shared, input }) });
  }
  // values(): an iterator that can be read only once, as the real one
  return { params, results, combined: workload.combine(results.values(), params) };
}
