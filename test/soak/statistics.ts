/**
 * Does memory leak, or does it only move? Resident memory of a garbage-collected process is a sawtooth on top of a
 * level, and the level itself rises while a process warms up. What tells a leak from both is that it goes on.
 *
 * - S1: the slope is Theil–Sen's (Sen 1968): the median of the slopes of all pairs of points. Up to 29 % of the points
 *   may be anything at all, so no peak, no collection and no single step moves it much.
 * - S2: a leak rises nearly all the time: Kendall's tau (1938), the share of pairs that rise less the share of those that
 *   fall, is near 1 for it, and near 0 for a sawtooth, whatever its height.
 * - S3: a leak has not ended: its last half rises as well. A process that warms up, or fills a cache to its bound, has
 *   risen in the first half only, however much.
 * - S4: a leak is one only where all of S1 to S3 say so, each of S1 and S3 by more than the bound of `allowed`.
 */
import { median } from '@regatta/kernel';

/** When, in s, and how much, in MiB. */
export type Point = readonly [at: number, value: number];

export interface Trend {
  /** What the slope makes of the whole time seen. */
  readonly growth: number;
  /** The same by the slope of the last half alone: what the whole time would have brought at that rate. */
  readonly lateGrowth: number;
  /** From -1, it always falls, to 1, it always rises. */
  readonly tau: number;
  /** The median. */
  readonly level: number;
}

export interface Allowance {
  readonly leastMiB: number;
  /** Of the level. */
  readonly part: number;
  /** On top of either. */
  readonly besidesMiB?: number;
}

/** Fewer points say nothing. */
export const POINTS_LEAST = 8;
/** All pairs of so many are soon looked at; more points are gathered into so many. */
const POINTS_MAX = 200;
const TAU_LEAST = 0.4;

/** @param points at least POINTS_LEAST, in order of time */
export function trendOf(points: readonly Point[]): Trend {
  const few = gathered(points, POINTS_MAX);
  const late = few.slice(few.length >>> 1);
  const seconds = few.at(-1)![0] - few[0]![0];
  return {
    growth: slopeOf(few) * seconds,
    lateGrowth: slopeOf(late) * seconds,
    tau: tauOf(few),
    level: median(few.map(([, value]) => value)),
  };
}

export const allowed = ({ level }: Trend, { leastMiB, part, besidesMiB = 0 }: Allowance): number =>
  Math.max(leastMiB, part * level) + besidesMiB;

/** S4. */
export function isLeak(trend: Trend, allowance: Allowance): boolean {
  const bound = allowed(trend, allowance);
  return trend.tau >= TAU_LEAST && trend.growth > bound && trend.lateGrowth > bound;
}

/** Theil–Sen (S1): per second; 0 where all points are of one moment. */
export function slopeOf(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [[at, value], [later, other]] of pairsOf(points)) {
    if (later > at) slopes.push((other - value) / (later - at));
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

/** Kendall's tau (S2); ties count as neither. */
export function tauOf(points: readonly Point[]): number {
  let sum = 0;
  let pairs = 0;
  for (const [[, value], [, other]] of pairsOf(points)) {
    sum += Math.sign(other - value);
    pairs++;
  }
  return pairs === 0 ? 0 : sum / pairs;
}

/** Medians of neighbours, so that at most `most` points are left. */
export function gathered(points: readonly Point[], most: number): Point[] {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return [...points];
  const gatheredPoints: Point[] = [];
  for (let i = 0; i < points.length; i += size) {
    const some = points.slice(i, i + size);
    gatheredPoints.push([median(some.map(([at]) => at)), median(some.map(([, value]) => value))]);
  }
  return gatheredPoints;
}

function* pairsOf(points: readonly Point[]): Generator<[Point, Point]> {
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) yield [points[i]!, points[j]!];
  }
}
