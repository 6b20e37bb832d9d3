/**
 * What the samples say of memory, over one stretch of time with work of one kind.
 *
 * - L1: a process is judged from its own warm-up on, and only where it has been seen for half of the stretch at least:
 *   of a shorter life no slope can be told from noise.
 * - L2: where tasks leak on purpose, and one host has done other work than the next, hosts are judged by a typical one
 *   alone (samples.ts, M3).
 */
import { type Group, type Series, TYPICAL_HOST } from './samples.ts';
import { type Allowance, allowed, isLeak, POINTS_LEAST, type Trend, trendOf } from './statistics.ts';

/** In s, of performance.now(). */
export interface Stretch {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Of each process that begins within it, and of the whole. */
  readonly warmUp: number;
  readonly allowances: Readonly<Record<Group, Allowance>>;
  /** Whether each host process is judged, or a typical one alone. */
  readonly eachHost: boolean;
}

export interface MemoryRow extends Trend {
  readonly stretch: string;
  readonly name: string;
  readonly seconds: number;
  readonly allowed: number;
  readonly leaks: boolean;
}

export function memoryRows(all: Iterable<Series>, stretch: Stretch): MemoryRow[] {
  const rows: MemoryRow[] = [];
  const begin = stretch.from + stretch.warmUp;
  for (const { group, name, points } of all) {
    if (group === 'hosts' && name !== TYPICAL_HOST && !stretch.eachHost) continue;
    const own = Math.max(begin, points[0]![0] + stretch.warmUp);
    const seen = points.filter(([at]) => at >= own && at <= stretch.to);
    const seconds = seen.length === 0 ? 0 : seen.at(-1)![0] - seen[0]![0];
    // L1
    if (seen.length < POINTS_LEAST || seconds < (stretch.to - begin) / 2) continue;
    const trend = trendOf(seen);
    const allowance = stretch.allowances[group];
    const leaks = isLeak(trend, allowance);
    rows.push({ stretch: stretch.name, name, seconds, ...trend, allowed: allowed(trend, allowance), leaks });
  }
  return rows;
}
