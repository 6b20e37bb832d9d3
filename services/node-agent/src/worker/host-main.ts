/**
 * A host process: runs workload code for its agent, and nothing else. With one thread, lanes run on this event loop;
 * with more, in a Piscina pool, and this loop only passes chunks and news along.
 *
 * Imports no gRPC and no NATS: it starts fast and holds user code only.
 * Arguments: how many threads, and how many chunks each works on side by side.
 */
import { setFlagsFromString } from 'node:v8';
import { messageOf, stackOf } from '@regatta/kernel';
import { inlineLanes } from './inline-lanes.ts';
import type { Lanes, Outlet } from './lanes.ts';
import { bareNews, type FromHost, type HostChunk, type HostNews, type HostRun, type ToHost } from './messages.ts';
import { Stall } from './stall.ts';
import { cards, findWorkload } from './workload-table.ts';

interface OpenRun {
  readonly run: HostRun;
  /** Made when the run's first chunk comes: its cost belongs to the run. */
  shared: { readonly value: unknown } | { readonly thrown: unknown } | undefined;
}

// A loop that V8's middle compiler copies into its caller runs several times slower, for hundreds of calls or for good:
// docs/adr/0007.
setFlagsFromString('--max-maglev-inlined-bytecode-size=0');

const [threads, concurrency] = process.argv.slice(2).map(Number) as [number, number];
const stall = new Stall();
const runs = new Map<string, OpenRun>();
const attempts = new Map<number, AbortController>();

const send = (message: FromHost): void => {
  // An agent that is gone takes no news; this process ends with it.
  if (process.connected) process.send!(message);
};

/** What a pipe surely takes at once. */
const AT_ONCE_BYTES = 16_384;
let onTheirWay: Promise<void>[] = [];

function emit(news: HostNews): void {
  const message = { kind: 'news', news, rssBytes: process.memoryUsage.rss(), stallMs: stall.take() } as const;
  if (news.results.byteLength <= AT_ONCE_BYTES || !process.connected) return send(message);
  const sent = new Promise<void>((resolve) => process.send!(message, () => resolve()));
  onTheirWay.push(sent);
  void sent.then(() => {
    onTheirWay = onTheirWay.filter((other) => other !== sent);
  });
}

const outlet: Outlet = { emit, flushed: () => onTheirWay[0] };

const lanes: Lanes =
  threads > 1 ? (await import('./pool-lanes.ts')).poolLanes(threads, concurrency, emit) : inlineLanes(stall, outlet);

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToHost) => {
  switch (message.kind) {
    case 'open':
      runs.set(message.run.runId, { run: message.run, shared: undefined });
      return;
    case 'chunk':
      void work(message.chunk);
      return;
    case 'cancel':
      attempts.get(message.attemptId)?.abort();
      return;
    case 'close':
      runs.delete(message.runId);
      return;
  }
});

async function work(chunk: HostChunk): Promise<void> {
  const cancel = new AbortController();
  attempts.set(chunk.attemptId, cancel);
  try {
    const open = runs.get(chunk.runId);
    if (open === undefined) throw new Error(`run ${chunk.runId} is not open here`);
    const shared = sharedOf(open);
    if ('thrown' in shared) emit(allFailed(chunk, shared.thrown));
    else await lanes(open.run, shared.value, chunk, cancel.signal);
  } catch (thrown) {
    emit(bareNews(chunk.attemptId, chunk.from, { kind: 'lost', why: messageOf(thrown) }));
  } finally {
    attempts.delete(chunk.attemptId);
  }
}

function sharedOf(open: OpenRun): { readonly value: unknown } | { readonly thrown: unknown } {
  try {
    open.shared ??= { value: findWorkload(open.run.workload).shared?.(open.run.params) };
  } catch (thrown) {
    open.shared = { thrown };
  }
  return open.shared;
}

/** The workload could not even begin: its shared data threw. Every task of the chunk failed by it. */
function allFailed(chunk: HostChunk, thrown: unknown): HostNews {
  const message = `its shared data could not be made: ${messageOf(thrown)}`;
  const tasks = Array.from({ length: chunk.to - chunk.from }, (_, i) => chunk.from + i);
  const failures = tasks.map((task) => ({ task, code: 'SHARED_THREW', message, stack: stackOf(thrown) }));
  return bareNews(chunk.attemptId, chunk.from, { kind: 'completed' }, failures);
}

stall.start();
send({ kind: 'ready', workloads: cards });
