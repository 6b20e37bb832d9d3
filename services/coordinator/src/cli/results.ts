/** A run's results, put back in task order. */
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, RegattaError } from '@regatta/kernel';
import { decodeValue, digestValues, type TaskResult, unpack, type Workload } from '@regatta/workloads';
import type { Client } from './client.ts';
import type { PlannedRun } from './run-options.ts';
import type { ResultPart } from './views.ts';

/** All parts, in task order. Waits for the run's end. */
export async function collect(client: Client, runId: string): Promise<ResultPart[]> {
  const parts: ResultPart[] = [];
  for await (const part of client.results(runId)) parts.push(part);
  return parts.sort((a, b) => a.from - b.from);
}

/** The values, decoded one by one as they are asked for; tasks that failed are left out. */
export function* valuesOf(parts: Iterable<ResultPart>): Iterable<TaskResult<unknown>> {
  for (const { from, results } of parts) {
    let task = from;
    for (const entry of unpack(results)) {
      if (entry.byteLength > 0) yield { task, value: decodeValue(entry) };
      task++;
    }
  }
}

/** SHA-256 over what is comparable of all results, in task order. Does not depend on how the run was cut into chunks. */
export function digestOf(parts: Iterable<ResultPart>, { comparable }: Pick<Workload, 'comparable'>): string {
  return digestValues(flat(valuesOf(parts), comparable ?? ((value) => value)));
}

function* flat(results: Iterable<TaskResult<unknown>>, comparable: (value: unknown) => unknown): Iterable<unknown> {
  for (const { task, value } of results) {
    yield task;
    yield comparable(value);
  }
}

/** Before any work is done: that its file could be written. @throws RegattaError CANNOT_WRITE */
export function checkWritable(path: string): void {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder');
    accessSync(dirname(path), constants.W_OK);
  } catch (thrown) {
    throw new RegattaError('CANNOT_WRITE', `cannot write ${path}: ${messageOf(thrown)}; give --out another path`);
  }
}

/** Writes the file that the workload makes of its results. @throws RegattaError CANNOT_WRITE */
export function writeResultFile({ workload, params }: PlannedRun, parts: readonly ResultPart[], path: string): void {
  const contents = workload.file?.(valuesOf(parts), params);
  if (contents === undefined) return;
  try {
    writeFileSync(path, contents);
  } catch (thrown) {
    throw new RegattaError('CANNOT_WRITE', `cannot write ${path}: ${messageOf(thrown)}`);
  }
}
