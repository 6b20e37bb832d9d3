/** One lane at work in the test's own process, and what it told. */
import { decodeValue, defineWorkload, type TaskContext, unpack } from '@regatta/workloads';
import { workThrough } from '../lane.ts';
import type { Beginner } from '../late.ts';
import type { HostFailure, HostNews, LateFailure } from '../messages.ts';
import { Thread } from '../thread.ts';

/** The context of a task is also whom to blame for what it began. */
type Context = TaskContext<unknown, unknown> & Beginner;
export type Task = (context: Context) => unknown;

export interface Told {
  readonly news: HostNews[];
  readonly late: LateFailure[];
  /** In the order of the tasks; failed ones show as 'none'. */
  readonly values: unknown[];
  readonly failures: HostFailure[];
}

interface Order {
  readonly from?: number;
  readonly to: number;
  /** A pack. */
  readonly inputs?: Uint8Array;
}

export async function work(task: Task, { from = 0, to, inputs = new Uint8Array(0) }: Order): Promise<Told> {
  const workload = defineWorkload<Record<never, never>, unknown, undefined, unknown, unknown>({
    name: 'sample',
    kind: 'cpu',
    summary: 'for tests',
    parameters: {},
    tasks: () => to,
    run: (_params, context) => task(context as Context),
    combine: () => undefined,
  });
  const run = { runId: 'r', workload: 'sample', params: {}, concurrency: 1, taskTimeoutMs: 0 };
  const chunk = { attemptId: 7, runId: 'r', from, to, attempt: 1, inputs };
  const news: HostNews[] = [];
  const late: LateFailure[] = [];
  const outlet = {
    emit: (one: HostNews) => void news.push(one),
    emitLate: (one: LateFailure) => void late.push(one),
    abandoned: () => {},
    flushed: () => undefined,
  };
  const cancelled = new AbortController().signal;
  await workThrough({ workload, run, chunk, receivedAt: 0, shared: undefined, cancelled, outlet }, new Thread());
  const entries = news.flatMap(({ results }) => unpack(results));
  return {
    news,
    late,
    values: entries.map((entry) => (entry.byteLength === 0 ? 'none' : decodeValue(entry))),
    failures: news.flatMap(({ failures }) => failures),
  };
}
