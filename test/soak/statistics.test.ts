import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Chance } from '../integration/hostile.ts';
import { allowed, gathered, isLeak, type Point, slopeOf, tauOf, trendOf } from './statistics.ts';

const ALLOWANCE = { leastMiB: 30, part: 0.25 };
const SECONDS = 200;
const series = (valueAt: (at: number) => number): Point[] =>
  Array.from({ length: SECONDS }, (_, at) => [at, valueAt(at)] as const);
const leaks = (points: readonly Point[]): boolean => isLeak(trendOf(points), ALLOWANCE);
/** A collector that lets 80 MiB gather, then frees them. */
const sawtooth = (at: number): number => 100 + 8 * (at % 10);

describe('the slope', () => {
  it('of a line is its own, whatever three in ten of the points are', () => {
    const chance = new Chance(1);
    assert.equal(slopeOf(series((at) => 5 + 2 * at)), 2);
    const spoilt = series((at) => (at % 10 < 3 ? chance.below(100_000) : 5 + 2 * at));
    assert.ok(Math.abs(slopeOf(spoilt) - 2) < 0.5, `${slopeOf(spoilt)}`);
  });

  it('of points of one moment, or of none, is 0', () => {
    assert.deepEqual([slopeOf([]), slopeOf([[1, 1]]), slopeOf(Array(5).fill([1, 7]))], [0, 0, 0]);
  });
});

describe("Kendall's tau", () => {
  it('is 1 for what always rises, -1 for what always falls, near 0 for a sawtooth', () => {
    assert.equal(tauOf(series((at) => at)), 1);
    assert.equal(tauOf(series((at) => -at)), -1);
    assert.ok(Math.abs(tauOf(series(sawtooth))) < 0.1);
    assert.equal(tauOf([]), 0);
  });
});

describe('points that are too many', () => {
  it('are gathered into medians of neighbours; few are left as they are', () => {
    const points = series((at) => at);
    assert.deepEqual(gathered(points, 500), points);
    assert.deepEqual(gathered(points, 2), [
      [49.5, 49.5],
      [149.5, 149.5],
    ]);
  });
});

describe('no leak is found', () => {
  const cases: readonly (readonly [string, (at: number) => number])[] = [
    ['a level', () => 100],
    ['noise of a third of the level', (at) => 100 + ((at * 7919) % 67) - 33],
    ['a sawtooth of nearly the level', sawtooth],
    ['a process that warms up to three times its size', (at) => 300 - 200 * Math.exp(-at / 20)],
    ['a step to twice the level in the middle', (at) => (at < 100 ? 100 : 200)],
    ['memory that is given back', (at) => 500 - at],
    ['a slow rise within the bound', (at) => 100 + (29 * at) / SECONDS],
    ['a steeper rise of a large process within its quarter', (at) => 1_000 + at],
  ];
  for (const [name, valueAt] of cases) it(`in ${name}`, () => assert.equal(leaks(series(valueAt)), false));
});

describe('a leak is found', () => {
  const cases: readonly (readonly [string, (at: number) => number])[] = [
    ['a rise of half the level', (at) => 100 + (50 * at) / SECONDS],
    ['a rise under a sawtooth', (at) => sawtooth(at) + (80 * at) / SECONDS],
    ['a rise in steps', (at) => 100 + 10 * Math.floor(at / 20)],
    ['a rise that gets steeper', (at) => 100 + 100 * (at / SECONDS) ** 2],
    ['a rise of a large process by more than its quarter', (at) => 1_000 + 2 * at],
  ];
  for (const [name, valueAt] of cases) it(`in ${name}`, () => assert.equal(leaks(series(valueAt)), true));

  it('whatever one look in five says', () => {
    const chance = new Chance(2);
    assert.ok(leaks(series((at) => (at % 5 === 0 ? chance.below(1_000) : 100 + at / 2))));
  });
});

it('what is allowed is the larger of the two bounds, and what comes on top', () => {
  const trend = { growth: 0, lateGrowth: 0, tau: 0 };
  assert.equal(allowed({ ...trend, level: 80 }, ALLOWANCE), 30);
  assert.equal(allowed({ ...trend, level: 400 }, ALLOWANCE), 100);
  assert.equal(allowed({ ...trend, level: 400 }, { ...ALLOWANCE, besidesMiB: 64 }), 164);
});
