/** What runs in a pool's thread: one call works through one chunk. */
import { BroadcastChannel, MessageChannel, type MessagePort, parentPort, threadId } from 'node:worker_threads';
import { Gate } from './gate.ts';
import { workThrough } from './lane.ts';
import type { Outlet } from './lanes.ts';
import { catchLateFailures } from './late.ts';
import { limits } from './limits.ts';
import type { FromThread, HostChunk, HostRun } from './messages.ts';
import { Permits } from './permits.ts';
import { Thread } from './thread.ts';
import { findWorkload } from './workload-table.ts';

/** The channel on which all threads of a pool are told what is rare. */
export const NOTES = 'regatta-notes';

export type Note =
  | { readonly kind: 'stop'; readonly attemptId: number }
  /** While it is on no task begins. */
  | { readonly kind: 'hold'; readonly on: boolean };

export interface ThreadOrder {
  readonly run: HostRun;
  readonly shared: unknown;
  readonly chunk: HostChunk;
  /** Unix time in ms: threads have clocks of their own. */
  readonly givenAt: number;
}

const thread = new Thread();
const gate = new Gate();
const attempts = new Map<number, AbortController>();
/** Attempts to stop that this thread does not know: another's, or its own that are still on their way. */
const unknownStops: number[] = [];

const say = (message: FromThread, transfer: (ArrayBuffer | MessagePort)[] = []): void =>
  parentPort?.postMessage(message, transfer);

const permits = new Permits((word) => say({ kind: 'permit', thread: threadId, word }));

if (parentPort !== null) {
  catchLateFailures();
  // Nobody reads it, and by way of the host's main thread it would pile up there.
  process.stdout.write = () => true;
  const notes = new BroadcastChannel(NOTES);
  notes.onmessage = ({ data }: { data: unknown }) => obey(data as Note);
  notes.unref();
  // One of its own: notes are heard by all, and permits are many.
  const { port1, port2 } = new MessageChannel();
  port1.on('message', (attemptId: number) => permits.given(attemptId));
  port1.unref();
  say({ kind: 'up', thread: threadId, permits: port2 }, [port2]);
}

function obey(note: Note): void {
  if (note.kind === 'hold') gate.hold(note.on);
  else stop(note.attemptId);
}

function stop(attemptId: number): void {
  const attempt = attempts.get(attemptId);
  if (attempt !== undefined) return attempt.abort();
  unknownStops.push(attemptId);
  if (unknownStops.length > limits.unknownStopsMax) unknownStops.shift();
}

const outlet: Outlet = {
  emit: (news) => say({ kind: 'news', news }, transferable(news.results)),
  emitLate: (late) => say({ kind: 'late', late }),
  abandoned: () => say({ kind: 'abandoned' }),
  // The other side's loop is free: what is posted is on its way.
  flushed: () => gate.opening,
};

export default async function work({ run, shared, chunk, givenAt }: ThreadOrder): Promise<void> {
  const cancel = new AbortController();
  if (unknownStops.includes(chunk.attemptId)) cancel.abort();
  attempts.set(chunk.attemptId, cancel);
  try {
    const workload = findWorkload(run.workload);
    const receivedAt = givenAt - performance.timeOrigin;
    const { signal: cancelled } = cancel;
    await workThrough({ workload, run, chunk, receivedAt, shared, cancelled, outlet, permits }, thread);
  } finally {
    attempts.delete(chunk.attemptId);
  }
}

/** Large buffers can be moved; small ones are slices of Node's pool, which must stay. */
const transferable = (bytes: Uint8Array): ArrayBuffer[] =>
  bytes.buffer.byteLength > 65_536 ? [bytes.buffer as ArrayBuffer] : [];
