import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryRows, type Stretch } from './leaks.ts';
import { type Holding, leaked, leftOver } from './leftovers.ts';
import { type Group, type Series, TYPICAL_HOST } from './samples.ts';

const allowance = { leastMiB: 30, part: 0.25 };
const stretch: Stretch = {
  name: 'trial',
  from: 0,
  to: 100,
  warmUp: 10,
  allowances: { coordinator: allowance, agents: allowance, hosts: allowance },
  eachHost: false,
};
const series = (group: Group, name: string, from: number, to: number, perS: number): Series => ({
  group,
  name,
  points: Array.from({ length: to - from }, (_, i) => [from + i, 100 + perS * i] as const),
});
const leaksOf = (...all: Series[]): [string, boolean][] =>
  memoryRows(all, stretch).map(({ name, leaks }) => [name, leaks]);

describe('memory over a stretch', () => {
  it('is judged of each process that was there for half of it', () => {
    const all = [
      series('coordinator', 'coordinator', 0, 100, 0),
      series('agents', 'leaking', 20, 100, 1),
      series('agents', 'killed early', 0, 40, 9),
      series('agents', 'started late', 70, 100, 9),
    ];
    assert.deepEqual(leaksOf(...all), [
      ['coordinator', false],
      ['leaking', true],
    ]);
  });

  it('leaves out the time before and after it, and a warm-up', () => {
    const before = series('coordinator', 'before', -200, 10, 9);
    const after = series('coordinator', 'after', 101, 300, 9);
    assert.deepEqual(leaksOf(before, after), []);
  });

  it('is that of a typical host where hosts cannot be compared, and of each where they can', () => {
    const all = [series('hosts', 'one', 0, 100, 1), series('hosts', TYPICAL_HOST, 0, 100, 0)];
    assert.deepEqual(leaksOf(...all), [[TYPICAL_HOST, false]]);
    assert.equal(memoryRows(all, { ...stretch, eachHost: true }).length, 2);
  });
});

describe('what is left over', () => {
  const before: Holding[] = [{ name: 'node-1', pid: 1, handles: 24, threads: 7, hosts: 4, usedMiB: 20, timers: 2 }];
  const now = (more: Partial<Holding>): Holding[] => [{ ...before[0]!, ...more }];
  const all = (after: Holding[]): string => [...leftOver(before, after, 8), ...leaked(before, after)].join();

  it('is nothing where little has changed, or where there is less', () => {
    assert.equal(all(now({ pid: 2, handles: 27, threads: 11, hosts: 8, usedMiB: 31, timers: 4 })), '');
    assert.equal(all(now({ handles: 1, threads: 1, hosts: 0, usedMiB: 1, timers: 0 })), '');
  });

  for (const [what, more, pattern] of [
    ['handles', { handles: 40 }, /node-1 has 40 handles, 24 before/],
    ['threads', { threads: 20 }, /20 threads, 7 before/],
    ['host processes', { hosts: 9 }, /9 host processes, at most 8/],
    ['memory', { usedMiB: 40 }, /20 MiB more in use/],
    ['timers', { timers: 9 }, /9 timers, 2 before/],
  ] as const) {
    it(`is told of ${what}`, () => assert.match(all(now(more)), pattern));
  }
});
