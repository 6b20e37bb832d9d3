/**
 * Gives back what only the start of an agent took, so that one that waits for work takes little of its machine: V8 does so
 * in the course of work, of which an idle agent has none.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { limits } from './limits.ts';

/** Once, a while after the start. @param isIdle not to be held up, for 30 ms, is who has begun to work by then */
export function restAfterStart(isIdle: () => boolean): void {
  setTimeout(() => {
    if (isIdle()) collectThoroughly();
  }, limits.restMs).unref();
}

/** There is no other way to the collection that gives empty pages back to the system. */
function collectThoroughly(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => void;
  gc({ type: 'major', flavor: 'last-resort' });
}
