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
import { catchLateFailures } from './late.ts';
import { limits } from './limits.ts';
import {
  bareNews,
  type FromHost,
  type HostChunk,
  type HostNews,
  type HostOrder,
  type HostRun,
  type PermitWord,
  type ToHost,
} from './messages.ts';
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
// Payloads lie outside V8's heap, and for every 64 MiB of them that pass it would search the whole heap: docs/adr/0008.
setFlagsFromString('--external-memory-accounted-in-global-limit');

const OPEN = { kind: 'open' } as const;
const [threads, concurrency] = process.argv.slice(2).map(Number) as [number, number];
const stall = new Stall();
const runs = new Map<string, OpenRun>();
const attempts = new Map<number, AbortController>();

const send = (message: FromHost): void => {
  // An agent that is gone takes no news; this process ends with it.
  if (process.connected) process.send!(message);
};

let onTheirWay: Promise<void>[] = [];
let bytesOnTheirWay = 0;
/** The agent wants no more for now; or what it was sent piles up here. */
const behind = { agent: false, pipe: false };
let gathered: HostNews[] = [];
let sentAt = 0;
let gathering: NodeJS.Timeout | undefined;
const rss = { bytes: 0, readAt: Number.NEGATIVE_INFINITY };

/**
 * Sends news at once, but for the ends of chunks so short that the messages would be most of their cost. A task that
 * blocks or kills this process then holds back, or takes with it, the work of `gatherMs` at most.
 */
function emit(news: HostNews): void {
  gathered.push(news);
  const short = news.end.kind === 'completed' && news.results.byteLength <= limits.atOnceBytes;
  const waitMs = sentAt + limits.gatherMs - performance.now();
  if (!short || waitMs <= 0) return sendGathered();
  gathering ??= setTimeout(sendGathered, waitMs);
}

function sendGathered(): void {
  clearTimeout(gathering);
  sendWords();
  gathering = undefined;
  const news = gathered;
  gathered = [];
  sentAt = performance.now();
  if (sentAt - rss.readAt >= limits.rssReadMs) {
    rss.bytes = process.memoryUsage.rss();
    rss.readAt = sentAt;
  }
  const message = { kind: 'news', news, rssBytes: rss.bytes, stallMs: stall.take() } as const;
  const bytes = news.reduce((sum, { results }) => sum + results.byteLength, 0);
  // What goes on may block this thread next, so it waits for its word to be out; an end waits for nothing.
  const ends = news.every(({ end }) => end.kind !== 'open');
  if ((ends && bytes <= limits.atOnceBytes) || !process.connected) return send(message);
  const sent = new Promise<void>((resolve) => process.send!(message, () => resolve()));
  onTheirWay.push(sent);
  weighPipe(bytes);
  void sent.then(() => {
    onTheirWay = onTheirWay.filter((other) => other !== sent);
    weighPipe(-bytes);
  });
}

/** Threads cannot see the pipe to the agent: they are told when it is full. */
function weighPipe(bytes: number): void {
  bytesOnTheirWay += bytes;
  if (behind.pipe !== bytesOnTheirWay > (behind.pipe ? limits.pipeBytesMax / 2 : limits.pipeBytesMax)) {
    behind.pipe = !behind.pipe;
    lanes.hold(behind.agent || behind.pipe);
  }
}

let words: PermitWord[] = [];

/** What lanes say of permits in one turn goes out together. */
function sayPermit(word: PermitWord): void {
  if (words.push(word) === 1) setImmediate(sendWords);
}

/** Before news: the end of an attempt would leave nobody to say what its last task was told by its target. */
function sendWords(): void {
  if (words.length === 0) return;
  send({ kind: 'permits', words });
  words = [];
}

const outlet: Outlet = {
  emit,
  emitLate: (late) => send({ kind: 'late', late }),
  abandoned: () => send({ kind: 'abandoned' }),
  flushed: () => onTheirWay[0],
};

catchLateFailures();

const lanes: Lanes =
  threads > 1
    ? (await import('./pool-lanes.ts')).poolLanes(threads, concurrency, outlet, sayPermit)
    : inlineLanes(stall, outlet, sayPermit);

process.on('disconnect', () => process.exit(0));
process.on('message', (orders: ToHost) => {
  for (const order of orders) obey(order);
});

function obey(order: HostOrder): void {
  switch (order.kind) {
    case 'open':
      runs.set(order.run.runId, { run: order.run, shared: undefined });
      return;
    case 'chunk':
      void work(order.chunk);
      return;
    case 'cancel':
      attempts.get(order.attemptId)?.abort();
      return;
    case 'permit':
      return lanes.permit(order.attemptId);
    case 'close':
      runs.delete(order.runId);
      return;
    case 'hold':
      behind.agent = order.on;
      lanes.hold(behind.agent || behind.pipe);
      return;
  }
}

async function work(chunk: HostChunk): Promise<void> {
  const cancel = new AbortController();
  attempts.set(chunk.attemptId, cancel);
  try {
    const open = runs.get(chunk.runId);
    if (open === undefined) throw new Error(`run ${chunk.runId} is not open here`);
    // What has a time limit says when it begins: a silent host is taken to hang.
    if (open.shared === undefined && open.run.taskTimeoutMs > 0) emit(bareNews(chunk.attemptId, chunk.from, OPEN));
    const shared = sharedOf(open);
    if ('thrown' in shared) failAll(chunk, shared.thrown);
    else await lanes.work(open.run, shared.value, chunk, cancel.signal);
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
function failAll(chunk: HostChunk, thrown: unknown): void {
  const message = `its shared data could not be made: ${messageOf(thrown)}`.slice(0, limits.messageCharactersMax);
  const stack = stackOf(thrown).slice(0, limits.stackCharactersMax);
  for (let from = chunk.from; from < chunk.to; from += limits.failuresPerNewsMax) {
    const to = Math.min(chunk.to, from + limits.failuresPerNewsMax);
    const tasks = Array.from({ length: to - from }, (_, i) => from + i);
    // The stack is everyone's: told once.
    const failures = tasks.map((task) => ({
      task,
      code: 'SHARED_THREW',
      message,
      stack: task === chunk.from ? stack : '',
    }));
    emit(bareNews(chunk.attemptId, from, to === chunk.to ? { kind: 'completed' } : OPEN, failures));
  }
}

stall.start();
send({ kind: 'ready', workloads: cards });
