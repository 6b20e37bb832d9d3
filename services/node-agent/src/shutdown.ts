/**
 * How a node leaves a cluster that goes on without it: with nothing lost and nobody waiting for its lease.
 *
 * - S1: what lanes have begun is finished until the time is up. What is not by then goes back, to others at once; of a
 *   chunk that is partly done only the rest.
 * - S2: it goes once all that it has to tell is known for good, or the time is up. While its coordinator is away that may
 *   take all of the time.
 * - S3: with nothing to do and nothing to tell it goes at once; where its coordinator does not say that it has heard,
 *   after a moment: what that one might yet order is given to others, as it is where a node is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { atMost } from '@regatta/kernel/patience';
import type { Logger } from 'pino';
import type { Executor } from './hosts/executor.ts';
import { limits } from './limits.ts';
import type { Link } from './link/link.ts';

export interface Leaver {
  readonly link: Pick<Link, 'leave' | 'goodbye' | 'connected' | 'durable' | 'settled' | 'pendingBytes'>;
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
  const hasNothing = (): boolean => executor.idle && queues.held === 0 && link.pendingBytes === 0;
  // Before it lets go of anything, which would be something to tell.
  const hadNothing = hasNothing();
  const unheardAt = performance.now() + limits.goodbyeMsMax;
  const isUnheard = (): boolean => hadNothing && hasNothing() && performance.now() >= unheardAt;
  const mayGo = (): boolean => (executor.idle && queues.held === 0 && link.settled) || isUnheard();
  // First of all: what goes back from here must not come back.
  link.leave();
  queues.stopAll();
  executor.handBack(false);
  if (!(await comesTrue(mayGo, finishMs))) {
    // S1.
    executor.handBack(true);
    if (!(await comesTrue(mayGo, limits.handBackMsMax))) log.warn('some of what this node has done could not be told');
  }
  const mayHear = (): boolean => link.connected || !link.durable;
  await comesTrue(mayHear, limits.goodbyeMsMax);
  await atMost(limits.goodbyeMsMax, link.goodbye());
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
