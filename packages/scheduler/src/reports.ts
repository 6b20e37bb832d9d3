/** Reads what a node says of an attempt. It comes from another process: it is checked, not trusted. Pure. */
import type { Range } from '@regatta/kernel';
import type { Event } from './events.ts';
import { limits } from './limits.ts';
import type { Attempt } from './node.ts';

export type Report = Extract<Event, { kind: 'attemptReported' }>;

/** Clocks of nodes tell no less than this apart, so no lane can have been faster. */
const BUSY_MS_MIN = 0.001;

/** Why the report's tasks cannot be counted; undefined where they can. */
export function flawOf(report: Report, attempt: Attempt): 'malformed' | 'out-of-order' | undefined {
  const { from, to, failed, retryAfterMs, bytes, busyMs } = report;
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to))) return 'malformed';
  if (from < attempt.from || to > attempt.to || from > to) return 'malformed';
  // One NaN among the sums and no chunk of the run would have a size any more.
  if (!(isAmount(bytes) && isAmount(busyMs))) return 'malformed';
  const tasksOfIt = (task: number, i: number) => task >= from && task < to && (i === 0 || task > failed[i - 1]!);
  if (!failed.every((task, i) => Number.isSafeInteger(task) && tasksOfIt(task, i))) return 'malformed';
  const waits = retryAfterMs === undefined || (retryAfterMs.length === failed.length && retryAfterMs.every(isAmount));
  if (!waits) return 'malformed';
  return from === attempt.reported ? undefined : 'out-of-order';
}

const isAmount = (value: number): boolean => Number.isFinite(value) && value >= 0;

/** Tasks per ms of a lane; 0 where the report does not tell. */
export const rateOf = ({ from, to, busyMs }: Report): number =>
  busyMs > 0 ? (to - from) / Math.max(busyMs, BUSY_MS_MIN) : 0;

/** Neighbours that are tried again together. */
export interface Stretch extends Range {
  /** The longest wait that one of them asks for. */
  readonly waitMs: number;
}

/**
 * Ascending tasks as stretches of neighbours, none of which has to wait more than twice as long as it asked for:
 * parted at every difference, servers that name a moment instead of a time would make each task a chunk of its own.
 * @param waitsMs for each task; none where there are none
 * @param leastMs what each has to wait in any case
 */
export function stretchesOf(ascending: readonly number[], waitsMs: readonly number[] = [], leastMs = 0): Stretch[] {
  const stretches: { from: number; to: number; waitMs: number }[] = [];
  let shortestMs = 0;
  for (let i = 0; i < ascending.length; i++) {
    const task = ascending[i]!;
    const waitMs = Math.max(leastMs, Math.min(waitsMs[i] ?? 0, limits.retryAfterMsMax));
    const last = stretches.at(-1);
    if (last?.to !== task || Math.max(waitMs, last.waitMs) > 2 * Math.min(waitMs, shortestMs)) {
      stretches.push({ from: task, to: task + 1, waitMs });
      shortestMs = waitMs;
      continue;
    }
    last.to = task + 1;
    last.waitMs = Math.max(waitMs, last.waitMs);
    shortestMs = Math.min(waitMs, shortestMs);
  }
  return stretches;
}

/** What is left of [from, to) without the stretches. */
export function between({ from, to }: Range, stretches: readonly Range[]): Range[] {
  const parts: Range[] = [];
  let cursor = from;
  for (const stretch of stretches) {
    if (cursor < stretch.from) parts.push({ from: cursor, to: stretch.from });
    cursor = stretch.to;
  }
  if (cursor < to) parts.push({ from: cursor, to });
  return parts;
}
