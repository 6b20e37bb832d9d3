import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRegistry, Exposition, formatFor } from './exposition.ts';
import { familiesIn } from './families.ts';

describe('metrics as text', () => {
  it('have the same names after they were told as OpenMetrics', async () => {
    const registry = createRegistry();
    familiesIn(registry).counter('tasks_total', 'Tasks');
    const exposition = new Exposition(registry, () => {});
    const open = (await exposition.render('openmetrics')).toString();
    assert.match(open, /^# TYPE tasks counter\ntasks_total 0$/m);
    assert.match(open, /^# TYPE process_cpu_seconds counter$/m);
    assert.ok(open.endsWith('# EOF\n'));
    const text = (await exposition.render('text')).toString();
    assert.match(text, /^# TYPE tasks_total counter\ntasks_total 0$/m);
    assert.match(text, /^# TYPE process_cpu_seconds_total counter$/m);
  });

  it('tell of the process: CPU, memory, event loop, garbage collection', async () => {
    const text = (await new Exposition(createRegistry(), () => {}).render('text')).toString();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_gc_duration_seconds',
    ])
      assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'));
  });

  it('have no gauges with the suffix of counters', async () => {
    const text = (await new Exposition(createRegistry(), () => {}).render('text')).toString();
    assert.doesNotMatch(text, /^# TYPE \w+_total gauge/m);
  });

  it('are OpenMetrics for who can read that', () => {
    assert.equal(
      formatFor(
        'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      ),
      'openmetrics',
    );
    for (const accept of [undefined, '*/*', 'text/plain']) assert.equal(formatFor(accept), 'text');
  });
});

describe('while metrics are made', () => {
  it('all who ask are given the same, and for a while after', async () => {
    let made = 0;
    const exposition = new Exposition(createRegistry(), async () => {
      made++;
      await sleep(50);
    });
    const [first, second] = await Promise.all([exposition.render('text'), exposition.render('text')]);
    assert.equal(first, second);
    assert.equal(await exposition.render('text'), first);
    assert.equal(made, 1);
  });

  it('what fails is told to those who asked, and tried again for the next', async () => {
    let fails = true;
    const exposition = new Exposition(createRegistry(), () => {
      if (fails) throw new Error('not now');
    });
    await assert.rejects(exposition.render('text'), /not now/);
    fails = false;
    assert.match((await exposition.render('text')).toString(), /process_cpu/);
  });
});
