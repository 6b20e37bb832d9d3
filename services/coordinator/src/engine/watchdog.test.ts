import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Watchdog } from './watchdog.ts';

const NO_PROGRESS_MS = 30;

/** The times at which a run is complained of, looked at each ms, with so many tasks ended by then. */
function complaints(doneAt: (now: number) => number, untilMs: number): number[] {
  const dog = new Watchdog(NO_PROGRESS_MS);
  const at: number[] = [];
  for (let now = 0; now <= untilMs; now++) {
    const stuck = dog.look([{ id: 'a', done: doneAt(now) }], now, () => []);
    if (stuck.length > 0) at.push(now);
  }
  return at;
}

describe('a run of which tasks end', () => {
  it('is not complained of', () => {
    assert.deepEqual(
      complaints((now) => Math.floor(now / NO_PROGRESS_MS), 300),
      [],
    );
  });
});

describe('a run that gets nowhere', () => {
  it('is complained of again and again, after waits that double', () => {
    assert.deepEqual(
      complaints(() => 0, 500),
      [30, 90, 210, 450],
    );
  });

  it('is watched from the start once a task has ended', () => {
    assert.deepEqual(
      complaints((now) => (now < 100 ? 3 : 4), 200),
      [30, 90, 130, 190],
    );
  });

  it('is told with why, and for how long', () => {
    const dog = new Watchdog(NO_PROGRESS_MS);
    const reasons = [{ code: 'NO_NODES', text: 'no node is connected' }];
    const looks = [5, 34, 36].map((now) => dog.look([{ id: 'a', done: 0 }], now, () => reasons));
    assert.deepEqual(looks, [[], [], [{ runId: 'a', ms: 31, reasons }]]);
  });

  it('is explained only when it is complained of, and its neighbours are not', () => {
    const dog = new Watchdog(NO_PROGRESS_MS);
    const explained: string[] = [];
    const explain = (runId: string) => {
      explained.push(runId);
      return [];
    };
    for (let now = 0; now <= 50; now += 10) {
      dog.look(
        [
          { id: 'stuck', done: 0 },
          { id: 'goes on', done: now },
        ],
        now,
        explain,
      );
    }
    assert.deepEqual(explained, ['stuck']);
  });

  it('is forgotten when it is no longer there: another of its name begins anew', () => {
    const dog = new Watchdog(NO_PROGRESS_MS);
    const look = (now: number, ...runs: string[]) =>
      dog.look(
        runs.map((id) => ({ id, done: 0 })),
        now,
        () => [],
      ).length;
    assert.deepEqual([look(0, 'a'), look(20), look(25, 'a'), look(40, 'a'), look(55, 'a')], [0, 0, 0, 0, 1]);
  });
});
