import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { Exposition } from './exposition.ts';
import { familiesIn } from './families.ts';
import { taskScale } from './scale.ts';

const setUp = () => {
  const registry = new Registry();
  const exposition = new Exposition(registry, () => {});
  const lines = async (format: 'text' | 'openmetrics' = 'text'): Promise<string[]> =>
    (await exposition.render(format)).toString().split('\n');
  return { registry, lines, ...familiesIn(registry) };
};

describe('a counter', () => {
  it('is told at 0 from when it is looked for, and without labels from the beginning', async () => {
    const { counter, lines } = setUp();
    counter('plain_total', 'x');
    counter('labelled_total', 'x', ['a']).of({ a: 'one' });
    assert.deepEqual(
      (await lines()).filter((line) => /^\w+_total/.test(line)),
      ['plain_total 0', 'labelled_total{a="one"} 0'],
    );
  });

  it('adds up by labels, whoever adds', async () => {
    const { counter, lines } = setUp();
    const tasks = counter('tasks_total', 'x', ['model', 'outcome']);
    const kept = tasks.of({ model: 'async', outcome: 'failed' });
    kept.value += 2;
    tasks.add({ model: 'async', outcome: 'failed' });
    tasks.add({ model: 'serial', outcome: 'failed' }, 10);
    const told = await lines();
    assert.ok(told.includes('tasks_total{model="async",outcome="failed"} 3'));
    assert.ok(told.includes('tasks_total{model="serial",outcome="failed"} 10'));
  });

  it('that is read tells what is there, and nothing of what is gone', async () => {
    const { counter, lines } = setUp();
    const throttled = counter('throttled_total', 'x', ['node']);
    throttled.read([
      [{ node: 'a' }, 1],
      [{ node: 'b' }, 2],
    ]);
    throttled.read([[{ node: 'b' }, 3]]);
    assert.deepEqual(
      (await lines()).filter((line) => line.startsWith('throttled_total')),
      ['throttled_total{node="b"} 3'],
    );
  });
});

describe('a gauge', () => {
  it('that is read tells what is there, and nothing of what is gone', async () => {
    const { gauge, lines } = setUp();
    const [lanes, up] = [gauge('lanes', 'x', ['node']), gauge('up', 'x')];
    lanes.read([[{ node: 'a' }, 1]]);
    lanes.read([]);
    up.read([]);
    assert.deepEqual(
      (await lines()).filter((line) => /^(lanes|up)\b/.test(line)),
      [],
    );
    up.read([[{}, 1]]);
  });
});

describe('a histogram', () => {
  it('tells the same as prom-client would', async () => {
    const { histogram, registry, lines } = setUp();
    const buckets = taskScale.boundsUs.map((us) => us / 1e6);
    const theirs = new Histogram({ name: 'theirs', help: 'x', labelNames: ['model'], buckets, registers: [registry] });
    const ours = histogram('ours', 'x', ['model']).of({ model: 'async' });
    const us = [0, 1, 10, 11, 999, 25_000, 1_000_000, 100_000_001];
    for (const one of us) theirs.observe({ model: 'async' }, one / 1e6);
    ours.addAll(Uint32Array.from(us.slice(0, 3)), 0.011);
    ours.addAll(Uint32Array.from(us.slice(3, 5)), 1.01);
    for (const one of us.slice(5)) ours.add(one / 1000);
    const [a, b] = [/^ours/, /^theirs/].map(async (name) => (await lines()).filter((line) => name.test(line)));
    const told = (await a!).map((line) => line.replace('ours', 'theirs'));
    assert.ok(told.length === buckets.length + 3);
    assert.deepEqual(told, await b);
  });

  it('names a run where OpenMetrics is asked for, and only there', async () => {
    const { histogram, lines } = setUp();
    const durations = histogram('d_seconds', 'x').of({});
    durations.add(0.02);
    durations.exemplify(0.02, 'run-1');
    const bucket = (told: string[]) => told.find((line) => line.startsWith('d_seconds_bucket{le="0.000025"}'));
    assert.match(
      bucket(await lines('openmetrics'))!,
      /^d_seconds_bucket\{le="0\.000025"\} 1 # \{run_id="run-1"\} 0\.00002 \d+/,
    );
    assert.equal(bucket(await lines()), 'd_seconds_bucket{le="0.000025"} 1');
  });

  it('keeps the run that it named for a second', () => {
    const durations = setUp().histogram('d_seconds', 'x').of({});
    for (const run of ['first', 'second']) durations.exemplify(0.02, run);
    assert.deepEqual(
      durations.exemplars.flatMap((one) => one?.labelSet.run_id ?? []),
      ['first'],
    );
  });
});
