import type { HostChunk, HostNews, HostRun } from './messages.ts';

/**
 * Where a host process works on chunks: on its own event loop, or in a pool of threads.
 * Settles when the chunk's last news has been emitted; rejects only where nothing could be emitted.
 */
export type Lanes = (run: HostRun, shared: unknown, chunk: HostChunk, cancelled: AbortSignal) => Promise<void>;

export type Emit = (news: HostNews) => void;
