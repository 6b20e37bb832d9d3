import type { Workload } from '@regatta/workloads';
import type { HostChunk, HostNews, HostRun, LateFailure } from './messages.ts';
import type { Permits } from './permits.ts';

/** Where a host process works on chunks: on its own event loop, or in a pool of threads. */
export interface Lanes {
  /** Settles when the chunk's last news has been emitted; rejects only where nothing could be emitted. */
  readonly work: (run: HostRun, shared: unknown, chunk: HostChunk, cancelled: AbortSignal) => Promise<void>;
  /** While it is on no task begins. */
  readonly hold: (on: boolean) => void;
  /** The attempt's next task may begin. */
  readonly permit: (attemptId: number) => void;
}

/** Where news goes. */
export interface Outlet {
  readonly emit: (news: HostNews) => void;
  readonly emitLate: (late: LateFailure) => void;
  /** A task was stopped and goes on: this process should end when its other work is done. */
  readonly abandoned: () => void;
  /**
   * Undefined where all news is on its way and more may be made; otherwise resolves when that may be so. A task that
   * blocks the thread before then holds back what others have finished.
   */
  readonly flushed: () => Promise<void> | undefined;
}

/** A chunk, with all that a lane needs to work through it. */
export interface LaneWork {
  readonly workload: Workload;
  readonly run: HostRun;
  readonly chunk: HostChunk;
  /** When this process got the chunk, on its own clock. */
  readonly receivedAt: number;
  readonly shared: unknown;
  /** Fires when the attempt is to stop. */
  readonly cancelled: AbortSignal;
  readonly outlet: Outlet;
  /** For polite runs. */
  readonly permits?: Permits;
}
