/**
 * How a node leaves a cluster that goes on without it: with nothing lost and nobody waiting for its lease.
 *
 * - S1: what lanes have begun is finished until the time is up. What is not by then goes back, to others at once; of a
 *   chunk that is partly done only the rest.
 * - S2: it goes once all that it has to tell is known for good, or the time is up. While its coordinator is away that may
 *   take all of the time.
 * - S3: with nothing to do and nothing to tell it goes at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Executor } from './hosts/executor.ts';
import { limits } from './limits.ts';
import type { Link } from './link/link.ts';

export interface Leaver {
  readonly link: Pick<Link, 'leave' | 'goodbye' | 'connected' | 'durable' | 'settled'>;
  readonly executor: Pick<Executor, 'idle' | 'handBack'>;
  readonly queues: { readonly held: number; stopAll(): void; close(): Promise<void> };
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Resolves when its process may end: at most `finishMs`, `handBackMsMax`, twice `goodbyeMsMax` and what the connection to
 * NATS takes to be closed.
 * @param finishMs for which it may finish what it has; 0 to hand it back at once
 */
export async function leave({ link, executor, queues, log }: Leaver, finishMs: number): Promise<void> {
  const settled = (): boolean => executor.idle && queues.held === 0 && link.settled;
  // First of all: what goes back from here must not come back.
  link.leave();
  queues.stopAll();
  executor.handBack(false);
  if (!(await comesTrue(settled, finishMs))) {
    // S1.
    executor.handBack(true);
    if (!(await comesTrue(settled, limits.handBackMsMax)))
      log.warn('some of what this node has done could not be told');
  }
  const mayHear = (): boolean => link.connected || !link.durable;
  await comesTrue(mayHear, limits.goodbyeMsMax);
  await Promise.race([link.goodbye(), sleep(limits.goodbyeMsMax, undefined, { ref: false })]);
  // Chunks that went back to their queues are still on their way there.
  await queues.close();
  log.info('this node has left');
}

/** @returns whether it did within so many ms */
async function comesTrue(holds: () => boolean, withinMs: number): Promise<boolean> {
  for (const giveUpAt = performance.now() + withinMs; !holds(); await sleep(limits.leaveLookMs)) {
    if (performance.now() >= giveUpAt) return false;
  }
  return true;
}
