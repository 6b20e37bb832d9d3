import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Demand, Desk } from './desk.ts';
import { limits } from './limits.ts';

let desk: Desk;
/** Attempts whose tasks were let begin, in their order, and when. */
let begun: number[];
let begunAt: number[];
let demands: Demand[];
let serial: number;

beforeEach(() => {
  [begun, begunAt, demands, serial] = [[], [], [], 0];
  desk = new Desk((attemptId) => {
    begun.push(attemptId);
    begunAt.push(performance.now());
  });
  desk.connected((demand) => void demands.push(demand));
});

// One that goes on would speak into the next test.
afterEach(() => desk.close());

/** Attempts 1 to n ask. */
function ask(n: number, target = 'a:1'): void {
  for (let attemptId = 1; attemptId <= n; attemptId++) desk.ask(attemptId, 'r', target);
}

function permits(order: Partial<{ grant: number; takeBack: number; afterMs: number; everyMs: number }>): void {
  const all = { runId: 'r', target: 'a:1', grant: 0, takeBack: 0, afterMs: 0, everyMs: 0, ...order };
  desk.heard({ serial: ++serial, targets: [all] });
}

/** What the coordinator knows by then. */
async function told(): Promise<{ waiting: number; held: number; heard: number } | undefined> {
  await sleep(2 * limits.gatherMs + 5);
  const last = demands.at(-1);
  if (last === undefined) return undefined;
  const { waiting, held } = last.targets.at(-1)!;
  return { waiting, held, heard: last.heard };
}

describe('tasks that are to talk to a target', () => {
  it('wait until there are permits, and begin in the order that they came', async () => {
    ask(3);
    assert.deepEqual(await told(), { waiting: 3, held: 0, heard: 0 });
    assert.deepEqual(begun, []);
    permits({ grant: 2 });
    assert.deepEqual(begun, [1, 2]);
    assert.deepEqual(await told(), { waiting: 1, held: 2, heard: 1 });
  });

  it('pass a permit on among themselves, and nobody is told', async () => {
    ask(3);
    permits({ grant: 1 });
    await told();
    const said = demands.length;
    for (const attemptId of [1, 2, 3]) {
      desk.done(attemptId);
      desk.ask(attemptId, 'r', 'a:1');
    }
    assert.deepEqual(begun, [1, 2, 3, 1]);
    await told();
    assert.equal(demands.length, said);
  });

  it('give back what is taken back when they have settled, and what is not in use at once', async () => {
    ask(2);
    permits({ grant: 2 });
    permits({ takeBack: 1 });
    assert.equal((await told())!.held, 2);
    desk.ask(3, 'r', 'a:1');
    desk.done(1);
    assert.deepEqual(begun, [1, 2]);
    assert.deepEqual(await told(), { waiting: 1, held: 1, heard: 2 });
    desk.done(3);
    desk.done(2);
    permits({ takeBack: 1 });
    assert.deepEqual(await told(), { waiting: 0, held: 0, heard: 3 });
  });

  it('give back what nobody has needed for a while', async () => {
    ask(1);
    permits({ grant: 3 });
    assert.equal((await told())!.held, 3);
    while ((await told())!.held > 1);
    assert.equal((await told())!.held, 1);
  });

  it('begin at their time under a rate, once each, and not too soon after each other', async () => {
    ask(3);
    const start = performance.now();
    permits({ grant: 2, takeBack: 2, afterMs: 20, everyMs: 30 });
    desk.done(3);
    while (begun.length < 2) await sleep(5);
    assert.deepEqual(begun, [1, 2]);
    assert.ok(begunAt[0]! - start >= 20 && begunAt[1]! - begunAt[0]! >= 30, `${begunAt.map((at) => at - start)}`);
    desk.done(1);
    desk.ask(1, 'r', 'a:1');
    assert.deepEqual([await told(), begun], [{ waiting: 1, held: 1, heard: 1 }, [1, 2]]);
  });

  it('leave one that asked for it alone, of whatever run, and say so', async () => {
    ask(2);
    desk.ask(9, 'other', 'a:1');
    desk.ask(8, 'r', 'b:2');
    permits({ grant: 1 });
    desk.done(1, 150);
    assert.deepEqual(begun, [1]);
    permits({ grant: 1 });
    assert.deepEqual(begun, [1]);
    await told();
    const pauses = demands.flatMap(({ targets }) => targets.map(({ pauseMs }) => pauseMs)).filter((ms) => ms > 0);
    assert.equal(pauses.length, 1);
    assert.ok(pauses[0]! > 0 && pauses[0]! <= 150, `${pauses}`);
    desk.heard({ serial: 9, targets: [{ runId: 'r', target: 'b:2', grant: 1, takeBack: 0, afterMs: 0, everyMs: 0 }] });
    assert.deepEqual(begun, [1, 8]);
    await sleep(150);
    permits({ grant: 1 });
    assert.deepEqual(begun, [1, 8, 2]);
  });

  it('do not begin while results are held back, and what they do not use is others’', async () => {
    ask(2);
    permits({ grant: 1 });
    desk.hold(true);
    desk.done(1);
    assert.deepEqual([begun, await told()], [[1], { waiting: 0, held: 0, heard: 1 }]);
    desk.hold(false);
    assert.deepEqual(await told(), { waiting: 1, held: 0, heard: 1 });
  });

  it('do not begin without a connection, and all that is held is said when there is one', async () => {
    ask(3);
    permits({ grant: 2 });
    desk.disconnected();
    desk.done(1);
    assert.deepEqual(begun, [1, 2]);
    demands = [];
    desk.connected((demand) => void demands.push(demand));
    assert.deepEqual(await told(), { waiting: 1, held: 1, heard: 0 });
    desk.done(2);
    assert.deepEqual(begun, [1, 2]);
  });

  it('are forgotten wherever they are when their attempt has ended', async () => {
    ask(3);
    permits({ grant: 1 });
    desk.done(2);
    desk.done(1);
    assert.deepEqual(begun, [1, 3]);
    desk.done(3);
    desk.done(7);
    while ((await told())!.held > 0);
    assert.deepEqual(await told(), { waiting: 0, held: 0, heard: 1 });
  });
});
