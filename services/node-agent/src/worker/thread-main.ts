/** What runs in a pool's thread: one call works through one chunk. */
import type { MessagePort } from 'node:worker_threads';
import { newThread, workThrough } from './lane.ts';
import type { HostChunk, HostNews, HostRun } from './messages.ts';
import { findWorkload } from './workload-table.ts';

export interface ThreadOrder {
  readonly run: HostRun;
  readonly shared: unknown;
  readonly chunk: HostChunk;
  /** Unix time in ms: threads have clocks of their own. */
  readonly givenAt: number;
  /** News goes out on it; anything that comes in means stop. */
  readonly port: MessagePort;
}

const thread = newThread();

export default async function work({ run, shared, chunk, givenAt, port }: ThreadOrder): Promise<void> {
  const cancel = new AbortController();
  port.on('message', () => cancel.abort());
  const emit = (news: HostNews): void => port.postMessage(news, transferable(news.results));
  // The other side's loop is free: what is posted is on its way.
  const outlet = { emit, flushed: () => undefined };
  try {
    const workload = findWorkload(run.workload);
    const receivedAt = givenAt - performance.timeOrigin;
    await workThrough({ workload, run, chunk, receivedAt, shared, cancelled: cancel.signal, outlet }, thread);
  } finally {
    // Closed by the other side: closing here would drop news on its way. Until then it must not keep the thread alive.
    port.unref();
  }
}

/** Buffers of their own can be moved; small ones are slices of Node's pool, which must stay. */
const transferable = (bytes: Uint8Array): ArrayBuffer[] =>
  bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer as ArrayBuffer] : [];
