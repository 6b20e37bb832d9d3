import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Shape } from './events.ts';
import { limits } from './limits.ts';
import { lanesOf, resolveShape } from './shape.ts';

const shape = (processes: number, threads: number, concurrency: number): Shape => ({ processes, threads, concurrency });

describe('a shape without zeros', () => {
  it('is taken as it is, even where it is wider than the cores', () => {
    assert.deepEqual(resolveShape(shape(16, 2, 3), 1), shape(16, 2, 3));
  });
});

describe('a shape with zeros', () => {
  const cases: { name: string; wanted: Shape; share: number; resolved: Shape }[] = [
    { name: 'processes: one a core', wanted: shape(0, 1, 1), share: 4, resolved: shape(4, 1, 1) },
    { name: 'threads: one a core', wanted: shape(1, 0, 1), share: 4, resolved: shape(1, 4, 1) },
    { name: 'processes of three threads, as many as fit', wanted: shape(0, 3, 1), share: 8, resolved: shape(2, 3, 1) },
    { name: 'threads in three processes, as many as fit', wanted: shape(3, 0, 1), share: 8, resolved: shape(3, 2, 1) },
    { name: 'both: threads in pairs', wanted: shape(0, 0, 1), share: 8, resolved: shape(4, 2, 1) },
    { name: 'both, on one core', wanted: shape(0, 0, 5), share: 1, resolved: shape(1, 1, 5) },
    { name: 'more threads asked for than cores', wanted: shape(0, 9, 1), share: 4, resolved: shape(1, 9, 1) },
    { name: 'more processes asked for than cores', wanted: shape(9, 0, 1), share: 4, resolved: shape(9, 1, 1) },
    { name: 'no concurrency: one task at a time', wanted: shape(1, 1, 0), share: 4, resolved: shape(1, 1, 1) },
  ];
  for (const { name, wanted, share, resolved } of cases) {
    it(`is filled in for the node's cores: ${name}`, () => assert.deepEqual(resolveShape(wanted, share), resolved));
  }
});

describe('any shape', () => {
  it('has a whole number of lanes, at least one and at most the limit', () => {
    const count = fc.oneof(fc.nat(20), fc.nat(10_000_000));
    fc.assert(
      fc.property(fc.record({ processes: count, threads: count, concurrency: count }), count, (wanted, share) => {
        const resolved = resolveShape(wanted, Math.max(1, share));
        for (const width of Object.values(resolved)) assert.ok(Number.isSafeInteger(width) && width >= 1);
        assert.ok(lanesOf(resolved) <= limits.lanesPerNodeMax, JSON.stringify(resolved));
      }),
    );
  });
});
