import type { HostChunk, HostNews, HostRun, LateFailure } from './messages.ts';

/**
 * Where a host process works on chunks: on its own event loop, or in a pool of threads.
 * Settles when the chunk's last news has been emitted; rejects only where nothing could be emitted.
 */
export type Lanes = (run: HostRun, shared: unknown, chunk: HostChunk, cancelled: AbortSignal) => Promise<void>;

/** Where news goes. */
export interface Outlet {
  readonly emit: (news: HostNews) => void;
  readonly emitLate: (late: LateFailure) => void;
  /** A task was stopped and goes on: this process should end when its other work is done. */
  readonly abandoned: () => void;
  /**
   * Undefined where all news is on its way; otherwise resolves when it may be. A task that blocks the thread before
   * then holds back what others have finished.
   */
  readonly flushed: () => Promise<void> | undefined;
}
