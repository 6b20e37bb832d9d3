/**
 * A client within the test's own process, for what starting the CLI each time would be too slow for: runs by the
 * hundred, and looking at one many times a second.
 *
 * - D1: results are put together task by task: one that came twice, or not at all, is noticed.
 */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { findWorkload, resolveParameters } from '@regatta/workloads';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { submit } from '../../services/coordinator/src/cli/follow.ts';
import { collect, valuesOf } from '../../services/coordinator/src/cli/results.ts';
import { planRun, type RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import type { ResultPart, RunView } from '../../services/coordinator/src/cli/views.ts';
import { Cluster } from './cluster.ts';

type Inputs = Readonly<Record<string, number | string | boolean>>;

const ENDS_MS_MAX = 60_000;

export class Direct {
  readonly client: Client;

  /** @param addresses HOST:PORT, of one cluster */
  constructor(addresses: string | readonly string[], token?: string) {
    this.client = new Client(addresses, { token });
  }

  /** @returns the run's id */
  submit(workload: string, inputs: Inputs = {}, options: Partial<RunOptions> = {}): Promise<string> {
    const set = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, String(value)]));
    return submit(this.client, planRun(workload, { policy: 'awf', retries: 0, ...options, set }));
  }

  /** Waits for the run's end. @throws when the time is up, saying how far it had come */
  async ended(runId: string, withinMs = ENDS_MS_MAX): Promise<RunView> {
    let last: RunView | undefined;
    const follow = async (): Promise<void> => {
      for await (const run of this.client.watch(runId)) last = run;
    };
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`${runId} has not ended: ${how(last)}`)), withinMs);
    try {
      await Promise.race([follow(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
    return last!;
  }

  async run(workload: string, inputs: Inputs = {}, options: Partial<RunOptions> = {}): Promise<RunView> {
    return this.ended(await this.submit(workload, inputs, options));
  }

  /** By task; what failed or was never done is missing. @throws where a task has two (D1) */
  async values(runId: string): Promise<Map<number, unknown>> {
    return valuesIn(await collect(this.client, runId));
  }

  close(): void {
    this.client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A cluster for all tests of a suite, started before the first and stopped after the last. */
export function oneForAll(use: (cluster: Cluster, direct: Direct) => void): void {
  let cluster: Cluster;
  let direct: Direct;
  before(async () => {
    cluster = await Cluster.start();
    direct = new Direct(cluster.address);
    use(cluster, direct);
  });
  after(async () => {
    direct.close();
    await cluster.stop();
  });
}

/** By task; what failed is missing. @throws where a task has two (D1) */
export function valuesIn(parts: Iterable<ResultPart>): Map<number, unknown> {
  const values = new Map<number, unknown>();
  for (const { task, value } of valuesOf(parts)) {
    assert.ok(!values.has(task), `task ${task} has two results`);
    values.set(task, value);
  }
  return values;
}

/** What the workload gives by the book, by task: on this thread, begun one after another. Those that wait do so together. */
export async function serialValues(name: string, inputs: Inputs = {}): Promise<Map<number, unknown>> {
  const workload = findWorkload(name)!;
  const params = resolveParameters(workload, inputs);
  const shared = workload.shared?.(params);
  const { signal } = new AbortController();
  const tasks = Array.from({ length: workload.tasks(params) }, (_, task) => task);
  const run = (task: number): unknown => workload.run(params, { task, attempt: 1, signal, shared, input: undefined });
  return new Map(await Promise.all(tasks.map(async (task) => [task, await run(task)] as const)));
}

const how = (run: RunView | undefined): string =>
  run === undefined
    ? 'nothing was heard of it'
    : `${run.state}, ${run.succeeded} succeeded, ${run.failed} failed, ${run.inFlight} in flight, ${run.pending} pending`;
