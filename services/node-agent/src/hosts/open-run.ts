/** A run that is open on this node: how wide it is, which hosts have its chunks, and where the next one may go (X2). */
import { limits } from '../limits.ts';
import type { Host } from './host.ts';
import type { HostPool } from './host-pool.ts';
import type { RunOrder } from './work.ts';

/** How much the newest chunk counts in a run's mean. */
const CHUNK_MS_WEIGHT = 0.3;

export interface OpenRun {
  readonly order: RunOrder;
  readonly lanes: number;
  /** Its hosts, with how many of its chunks each holds. */
  readonly hosts: Map<Host, number>;
  /** Chunks given to hosts. */
  active: number;
  /** Mean time that a lane spends on a chunk; 0 while unknown. */
  chunkMs: number;
}

export function openRun(order: RunOrder): OpenRun {
  const { processes, threads, concurrency } = order.shape;
  return { order, lanes: processes * threads * concurrency, hosts: new Map(), active: 0, chunkMs: 0 };
}

/** Stands for a run that is not open here; it has no lanes. */
export function closedRun(runId: string): OpenRun {
  const shape = { processes: 1, threads: 1, concurrency: 1 };
  const order: RunOrder = { runId, workload: '', params: {}, shape, taskTimeoutMs: 0, pulled: false };
  return { order, lanes: 0, hosts: new Map(), active: 0, chunkMs: 0 };
}

/** Chunks that hosts may hold beyond the run's lanes. None where a silent host is killed: a waiting chunk is silent. */
export function aheadOf({ order, hosts, chunkMs }: OpenRun): number {
  if (order.taskTimeoutMs > 0 || chunkMs === 0 || chunkMs >= limits.aheadChunkMsMax) return 0;
  return hosts.size * Math.min(limits.aheadChunksMax, Math.ceil(limits.aheadMs / chunkMs));
}

/**
 * Threads at work are 1 / concurrency for each chunk; a run alone may have all it asked for.
 * @param open all runs, this one too
 */
export function hasCoresFor({ order: { shape } }: OpenRun, open: Iterable<OpenRun>, cores: number): boolean {
  let load = 1 / shape.concurrency;
  for (const { active, lanes, order } of open) load += Math.min(active, lanes) / order.shape.concurrency;
  return load <= Math.max(cores, shape.processes * shape.threads) + 1e-6;
}

/** The run's least loaded host; one more while it has fewer than its shape's processes and all have some work. */
export function hostFor(run: OpenRun, pool: HostPool): Host {
  const { processes, threads, concurrency } = run.order.shape;
  let best: Host | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [host, chunks] of run.hosts) {
    // Idle as far as this run goes, it has become another's: to share it is for the pool to decide.
    if (chunks === 0 && host.attempts.size > 0) run.hosts.delete(host);
    else if (host.usable && chunks < least) [best, least] = [host, chunks];
  }
  if (best !== undefined && (least === 0 || run.hosts.size >= processes)) return best;
  return pool.acquire(threads, concurrency, new Set(run.hosts.keys()));
}

/** What dies there dies of this alone. */
export function hostAlone({ order: { shape } }: OpenRun, pool: HostPool): Host {
  const host = pool.acquireIdle(shape.threads, shape.concurrency);
  host.reserved = true;
  return host;
}

/** A chunk of the run was given to that host. */
export function chunkBegan(run: OpenRun, host: Host): void {
  run.active++;
  run.hosts.set(host, (run.hosts.get(host) ?? 0) + 1);
}

/** One that it had is over. @param laneMs that it took of a lane */
export function chunkEnded(run: OpenRun, host: Host, laneMs: number): void {
  run.active--;
  const chunks = run.hosts.get(host);
  // It is no longer there where the host has died.
  if (chunks !== undefined) run.hosts.set(host, chunks - 1);
  run.chunkMs = run.chunkMs === 0 ? laneMs : run.chunkMs + CHUNK_MS_WEIGHT * (laneMs - run.chunkMs);
}
