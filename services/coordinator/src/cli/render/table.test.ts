import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Column, table } from './table.ts';

const columns: Column<readonly [string, number]>[] = [
  { head: 'name', cell: ([name]) => name },
  { head: 'n', cell: ([, n]) => String(n), align: 'right' },
];

describe('a table', () => {
  it('is as wide as its widest cells, with numbers to the right', () => {
    const rows = [
      ['threads', 5],
      ['async', 1000],
    ] as const;
    const lines = ['name        n', '───────  ────', 'threads     5', 'async    1000', ''];
    assert.equal(table(columns, rows), lines.join('\n'));
  });

  it('is as wide as its heads where it has no rows', () => {
    assert.equal(table(columns, []), 'name  n\n────  ─\n');
  });

  it('has no spaces at the ends of its lines', () => {
    assert.equal(table(columns.slice(0, 1), [['a', 1]]), 'name\n────\na\n');
  });
});
