/** How long ago something was, in one figure. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** @param atMs, nowMs Unix time, by one clock */
export function ago(atMs: number, nowMs: number): string {
  const ms = Math.max(0, nowMs - atMs);
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / 1000)} s ago`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min ago`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h ago`;
  return `${Math.round(ms / DAY_MS)} days ago`;
}
