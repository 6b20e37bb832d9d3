import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Alarms } from './alarms.ts';
import { limits } from './limits.ts';

describe('alarms', () => {
  it('ring in the order of their times, once for each run that is due', () => {
    const alarms = new Alarms(() => true);
    for (const [at, runId] of [
      [30, 'c'],
      [10, 'a'],
      [20, 'b'],
      [15, 'a'],
    ] as const)
      alarms.set(at, runId);
    assert.equal(alarms.next, 10);
    assert.deepEqual([...alarms.takeDue(20)], ['a', 'b']);
    assert.equal(alarms.next, 30);
    assert.deepEqual([...alarms.takeDue(30)], ['c']);
    assert.equal(alarms.next, Number.POSITIVE_INFINITY);
  });

  it('do not pile up while runs end long before their deadlines (I6)', () => {
    const active = new Set(['long']);
    const alarms = new Alarms((runId) => active.has(runId));
    alarms.set(1e9, 'long');
    for (let i = 0; i < 100_000; i++) {
      alarms.set(1e6 + i, `short ${i}`);
      assert.ok(alarms.size <= limits.alarmsStaleMax + 3);
    }
    assert.ok([...alarms.takeDue(1e9)].includes('long'));
  });

  it('go on from a dump of them as they would have: in the same order, with the same next sweep', () => {
    const busy = new Alarms((runId) => runId.startsWith('long'));
    for (let i = 0; i < 700; i++) busy.set(100 - (i % 7), `long ${i}`);
    for (let i = 0; i < 700; i++) busy.set(Number.POSITIVE_INFINITY, `short ${i}`);
    const restored = new Alarms((runId) => runId.startsWith('long'));
    restored.load(JSON.parse(JSON.stringify(busy.dump())));
    for (let i = 0; i < 2_000; i++) {
      for (const alarms of [busy, restored]) alarms.set(50, `short again ${i}`);
      assert.equal(restored.size, busy.size);
    }
    assert.deepEqual([...restored.takeDue(1e9)], [...busy.takeDue(1e9)]);
    assert.deepEqual(restored.dump(), busy.dump());
  });

  it('keep all that matter, however many', () => {
    const alarms = new Alarms(() => true);
    for (let i = 0; i < 5_000; i++) alarms.set(i, `run ${i}`);
    assert.equal(alarms.takeDue(5_000).size, 5_000);
  });
});
