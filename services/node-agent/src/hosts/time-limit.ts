/** Which tasks are past their time, as far as it can be seen from outside: whoever blocks a thread says nothing. */
import { limits } from '../limits.ts';
import type { Held } from './held.ts';

/** Attempts whose task is past its time without a word: only the end of their hosts ends them. */
export const overdue = (held: Iterable<Held>, now: number): Held[] =>
  lastToSpeak(held).flatMap(({ last, heardAt }) => {
    const { taskTimeoutMs } = last.run.order;
    return taskTimeoutMs === 0 || now - heardAt < taskTimeoutMs + slackMsOf(last) ? [] : [last];
  });

/**
 * By thread, the attempt that spoke last. A lane speaks as its task begins, so where a thread is blocked this is the
 * one that blocks it; the others on it only wait for their turn. A lane that waits for a permit is at work on nothing,
 * but that it asked for one shows that its thread was not blocked.
 */
function lastToSpeak(all: Iterable<Held>): { readonly last: Held; readonly heardAt: number }[] {
  const threads = new Map<string, { last: Held | undefined; heardAt: number }>();
  for (const held of all) {
    if (held.host === undefined || held.host.killedFor !== undefined || held.thread === undefined) continue;
    const name = `${held.host.pid}/${held.thread}`;
    const thread = threads.get(name) ?? { last: undefined, heardAt: Number.NEGATIVE_INFINITY };
    threads.set(name, thread);
    thread.heardAt = Math.max(thread.heardAt, held.newsAt);
    if (!held.waits && held.newsAt > (thread.last?.newsAt ?? Number.NEGATIVE_INFINITY)) thread.last = held;
  }
  return [...threads.values()].flatMap(({ last, heardAt }) => (last === undefined ? [] : [{ last, heardAt }]));
}

/** A host with threads speaks for itself only as it opens a run: its threads may still be starting then. */
const slackMsOf = ({ host, thread }: Held): number =>
  thread === 0 && host!.threads > 1 ? limits.threadStartMsMax : limits.silenceSlackMs;
