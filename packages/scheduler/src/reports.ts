/** Reads what a node says of an attempt. It comes from another process: it is checked, not trusted. Pure. */
import type { Range } from '@regatta/kernel';
import type { Event } from './events.ts';
import type { Attempt } from './node.ts';

export type Report = Extract<Event, { kind: 'attemptReported' }>;

/** Clocks of nodes tell no less than this apart, so no lane can have been faster. */
const BUSY_MS_MIN = 0.001;

/** Why the report's tasks cannot be counted; undefined where they can. */
export function flawOf(report: Report, attempt: Attempt): 'malformed' | 'out-of-order' | undefined {
  const { from, to, failed, bytes, busyMs } = report;
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to))) return 'malformed';
  if (from < attempt.from || to > attempt.to || from > to) return 'malformed';
  // One NaN among the sums and no chunk of the run would have a size any more.
  if (!(isAmount(bytes) && isAmount(busyMs))) return 'malformed';
  const tasksOfIt = (task: number, i: number) => task >= from && task < to && (i === 0 || task > failed[i - 1]!);
  if (!failed.every((task, i) => Number.isSafeInteger(task) && tasksOfIt(task, i))) return 'malformed';
  return from === attempt.reported ? undefined : 'out-of-order';
}

const isAmount = (value: number): boolean => Number.isFinite(value) && value >= 0;

/** Tasks per ms of a lane; 0 where the report does not tell. */
export const rateOf = ({ from, to, busyMs }: Report): number =>
  busyMs > 0 ? (to - from) / Math.max(busyMs, BUSY_MS_MIN) : 0;

/** Ascending numbers as stretches of neighbours. */
export function stretchesOf(ascending: readonly number[]): Range[] {
  const stretches: { from: number; to: number }[] = [];
  for (const value of ascending) {
    const last = stretches.at(-1);
    if (last?.to === value) last.to = value + 1;
    else stretches.push({ from: value, to: value + 1 });
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
