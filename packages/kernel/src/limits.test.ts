import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defineLimits, groupOf, inGroup, limit } from './limits.ts';

const { limits, views } = defineLimits({
  leaseMs: limit(5_000, 'ms', 'without a sign of life after which a node is lost'),
  runsMax: limit(10, 'runs', 'at once'),
});

describe('a table of limits', () => {
  it('is read as plain numbers', () => {
    const { leaseMs, runsMax }: { leaseMs: number; runsMax: number } = limits;
    assert.deepEqual([leaseMs, runsMax], [5_000, 10]);
    assert.deepEqual(Object.keys(limits), ['leaseMs', 'runsMax']);
  });

  it('cannot be changed', () => {
    assert.throws(() => Object.assign(limits, { runsMax: 11 }), TypeError);
  });

  it('tells all of them, in its order, with their units and words', () => {
    assert.deepEqual(views(), [
      { name: 'leaseMs', value: 5_000, unit: 'ms', description: 'without a sign of life after which a node is lost' },
      { name: 'runsMax', value: 10, unit: 'runs', description: 'at once' },
    ]);
  });

  it('tells those that a process was told to keep to instead, zero too', () => {
    assert.deepEqual(
      views({ leaseMs: 0 }).map(({ value }) => value),
      [0, 10],
    );
    assert.equal(limits.leaseMs, 5_000);
  });

  it('takes no unit that contradicts the name', () => {
    // @ts-expect-error A name that ends in Ms is of ms.
    defineLimits({ leaseMs: limit(5, 's', '') });
    // @ts-expect-error Likewise with more behind it.
    defineLimits({ inputBytesPerRunMax: limit(5, 'MiB', '') });
    // @ts-expect-error Likewise characters.
    defineLimits({ nameCharactersMax: limit(5, 'bytes', '') });
    assert.ok(defineLimits({ tasksMax: limit(5, 'tasks', ''), idleMsMax: limit(5, 'ms', '') }));
  });
});

describe('limits of a part of the process', () => {
  it('are marked as its, and told apart again', () => {
    assert.deepEqual(
      inGroup('host', views()).map(({ name }) => name),
      ['host.leaseMs', 'host.runsMax'],
    );
    assert.deepEqual(groupOf('host.leaseMs'), { group: 'host', bare: 'leaseMs' });
    assert.deepEqual(groupOf('leaseMs'), { group: '', bare: 'leaseMs' });
  });
});
