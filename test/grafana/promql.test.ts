import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { filledIn, namesIn } from './promql.ts';

const found = (expr: string) => {
  const { metrics, groupings } = namesIn(expr);
  return { metrics: Object.fromEntries([...metrics].map(([name, labels]) => [name, [...labels]])), by: [...groupings] };
};

describe('what an expression names', () => {
  it('is each metric with the labels that it matches on', () => {
    assert.deepEqual(found('rate(a_total{x="1",y=~"b,c{d}"}[5m]) / on (z) group_left (w) b').metrics, {
      a_total: ['x', 'y'],
      b: [],
    });
  });

  it('is each value that a label is matched with, and how', () => {
    const { matchers } = namesIn('rate(a_total{x="1",y!~"b,c{d}"}[5m]) / "2" + b{x=\'e "f"\'}');
    assert.deepEqual(matchers, [
      { metric: 'a_total', label: 'x', operator: '=', value: '1' },
      { metric: 'a_total', label: 'y', operator: '!~', value: 'b,c{d}' },
      { metric: 'b', label: 'x', operator: '=', value: 'e "f"' },
    ]);
  });

  it('is what it groups and joins by, before or behind the brackets', () => {
    assert.deepEqual(found('sum by (x, y) (a) * on (z) group_left (w) sum(b) without (v)').by, [
      'x',
      'y',
      'z',
      'w',
      'v',
    ]);
  });

  it('is neither a function, an operator, a number with its unit, nor a string', () => {
    const expr =
      'histogram_quantile(0.9, sum(rate(a_bucket[5m])) by (le)) > bool 1e3 or vector(0) offset 5m and label_replace(b, "c", "$1", "d", "(e)")';
    assert.deepEqual(Object.keys(found(expr).metrics), ['a_bucket', 'b']);
  });

  it('is a recording rule by its whole name', () => {
    assert.deepEqual(Object.keys(found('model:regatta_tasks:rate1m{model="x"}').metrics), [
      'model:regatta_tasks:rate1m',
    ]);
  });
});

describe('variables', () => {
  it('are filled in however they are written', () => {
    assert.equal(
      filledIn(`rate(a{node=~"$node", run="$\{run}"}[$__rate_interval])`, { run: 'run-1' }),
      'rate(a{node=~".*", run="run-1"}[20s])',
    );
  });

  it('that nobody knows stay as they are, for Prometheus to refuse', () => {
    assert.equal(filledIn('a{b="$nobody"}'), 'a{b="$nobody"}');
  });
});
