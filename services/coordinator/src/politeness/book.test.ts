import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type PermitOrder, TargetBook } from './book.ts';
import { limits } from './limits.ts';
import { type TargetLimits, UNLIMITED } from './target.ts';
import { waitText } from './wait-text.ts';

const T = 'example.org:443';
let book: TargetBook;
let now: number;
let heard: Map<string, number>;

beforeEach(() => {
  book = new TargetBook();
  now = 0;
  heard = new Map();
});

/** The node has heard all that it was told. */
function tell(
  node: string,
  waiting: number,
  held: number,
  asked: Partial<TargetLimits> | undefined = { inFlight: 3 },
  { runId = 'r', pauseMs = 0 } = {},
): void {
  if (!heard.has(node)) {
    heard.set(node, 0);
    book.joined(node);
  }
  const news = { runId, target: T, waiting, held, pauseMs };
  book.told(node, heard.get(node)!, news, asked && { ...UNLIMITED, ...asked }, now);
}

/** By node, what it is told next. */
function decide(): Record<string, Partial<PermitOrder>[]> {
  const told: Record<string, Partial<PermitOrder>[]> = {};
  for (const { node, serial, orders } of book.decide(now).orders) {
    heard.set(node, serial);
    told[node] = orders.map(({ grant, takeBack, afterMs }) => ({ grant, takeBack, afterMs }));
  }
  return told;
}

const granted = (grant: number): Partial<PermitOrder>[] => [{ grant, takeBack: 0, afterMs: 0 }];
const takenBack = (takeBack: number): Partial<PermitOrder>[] => [{ grant: 0, takeBack, afterMs: 0 }];
const once = (afterMs: number): Partial<PermitOrder>[] => [{ grant: 1, takeBack: 1, afterMs }];

describe('a limit on what is in flight', () => {
  it('is shared out evenly among nodes that ask at the same time', () => {
    tell('a', 5, 0);
    tell('b', 5, 0);
    assert.deepEqual(decide(), { a: granted(2), b: granted(1) });
    assert.deepEqual(decide(), {});
  });

  it('gives what one node gives back to another that waits', () => {
    tell('a', 3, 0);
    decide();
    tell('b', 1, 0);
    tell('a', 0, 2);
    assert.deepEqual(decide(), { b: granted(1) });
  });

  it('takes from a node that has more than its share once another has waited for long enough', () => {
    tell('a', 9, 0);
    decide();
    tell('a', 6, 3);
    tell('b', 6, 0);
    assert.deepEqual(decide(), {});
    assert.equal(book.decide(now).wakeAt, limits.patienceMs);
    now = limits.patienceMs;
    assert.deepEqual(decide(), { a: takenBack(1) });
    assert.deepEqual(decide(), {});
    tell('a', 7, 2);
    assert.deepEqual(decide(), { b: granted(1) });
  });

  it('lets nodes take turns where there is not one for each', () => {
    const one = { inFlight: 1 };
    tell('a', 2, 0, one);
    decide();
    tell('a', 1, 1, one);
    tell('b', 2, 0, one);
    decide();
    now = limits.patienceMs;
    assert.deepEqual(decide(), { a: takenBack(1) });
    tell('a', 2, 0, one);
    assert.deepEqual(decide(), { b: granted(1) });
    tell('b', 1, 1, one);
    decide();
    now += limits.patienceMs;
    assert.deepEqual(decide(), { b: takenBack(1) });
  });

  it('is that of the strictest run that is there, which gets what is too much as it comes back', () => {
    tell('a', 9, 0, { inFlight: 4 });
    decide();
    tell('a', 5, 4, { inFlight: 4 });
    tell('b', 1, 0, { inFlight: 2 }, { runId: 'strict' });
    assert.deepEqual(decide(), { a: takenBack(2) });
    tell('a', 7, 2, { inFlight: 4 });
    assert.deepEqual(decide(), {});
    tell('a', 8, 1, { inFlight: 4 });
    assert.deepEqual(decide(), { b: granted(1) });
  });
});

describe('a limit on the rate', () => {
  it('gives permits for one task each, the spacing apart, not long before their time', () => {
    const asked = { perSecond: 10 };
    tell('a', 2, 0, asked);
    tell('b', 1, 0, asked);
    assert.deepEqual(decide(), { a: once(0) });
    assert.equal(book.decide(now).wakeAt, 100 - limits.aheadMs);
    now = 100 - limits.aheadMs;
    assert.deepEqual(decide(), { b: once(limits.aheadMs) });
  });

  it('says in one order what follows on itself', () => {
    tell('a', 5, 0, { perSecond: 1000 });
    const orders = book.decide(now).orders.flatMap((one) => one.orders);
    assert.deepEqual(orders, [{ runId: 'r', target: T, grant: 5, takeBack: 5, afterMs: 0, everyMs: 1 }]);
  });

  it('waits until those who may use theirs again know that they may not', () => {
    tell('a', 1, 0);
    decide();
    tell('a', 0, 1);
    tell('b', 1, 0, { perSecond: 10 }, { runId: 'strict' });
    assert.deepEqual(decide(), { a: takenBack(1) });
    now = 30;
    assert.deepEqual(decide(), {});
    tell('a', 0, 1);
    assert.deepEqual(decide(), {});
    now = 130;
    assert.deepEqual(decide(), { b: once(0) });
  });

  it('is remembered for as long as it matters, and no longer', () => {
    const asked = { perSecond: 10 };
    tell('a', 1, 0, asked);
    decide();
    tell('a', 0, 0, asked);
    decide();
    assert.equal(book.size, 1);
    now = 50;
    tell('a', 1, 0, asked);
    assert.deepEqual(decide(), {});
    tell('a', 0, 0, asked);
    now = 100;
    decide();
    assert.equal(book.size, 0);
  });
});

describe('a target that asks to be left alone', () => {
  it('is, by all nodes, for so long', () => {
    tell('a', 1, 0);
    tell('b', 1, 0);
    decide();
    tell('a', 0, 0, undefined, { pauseMs: 500 });
    tell('b', 0, 1);
    tell('c', 1, 0);
    assert.deepEqual(decide(), { b: takenBack(1) });
    assert.equal(book.decide(now).wakeAt, 500);
    now = 499;
    assert.deepEqual(decide(), {});
    now = 500;
    assert.deepEqual(decide(), { c: granted(1) });
  });
});

describe('permits of a node that is lost', () => {
  it('are free again after a moment', () => {
    tell('a', 3, 0);
    decide();
    tell('b', 3, 0);
    book.lost('a', now);
    assert.deepEqual(decide(), {});
    now = limits.lostPermitMs;
    assert.deepEqual(decide(), { b: granted(3) });
  });

  it('are those that it says it has where it comes back', () => {
    tell('a', 3, 0);
    decide();
    tell('b', 3, 0);
    book.lost('a', now);
    heard.delete('a');
    tell('a', 0, 2);
    assert.deepEqual(decide(), { b: granted(1) });
  });
});

describe('tasks of a run that is over, or that nobody knows', () => {
  it('get no permit, and those that talk to a target count', () => {
    tell('a', 5, 2, { inFlight: 3 }, { runId: 'over' });
    tell('a', 5, 2, undefined, { runId: 'over' });
    book.told('a', 0, { runId: 'over', target: T, waiting: 5, held: 2, pauseMs: 0 }, undefined, now);
    assert.deepEqual(decide(), {});
    tell('b', 3, 0);
    assert.deepEqual(decide(), { b: granted(1) });
  });
});

describe('what a run waits for', () => {
  const said = (): string[] => book.waits('r', now).map(waitText);

  it('is told by target', () => {
    tell('a', 5, 0);
    decide();
    assert.deepEqual(said(), [`2 tasks wait for ${T}: at most 3 in flight`]);
    tell('a', 0, 0, undefined, { pauseMs: 2_000 });
    tell('b', 1, 0);
    now = 950;
    assert.deepEqual(said(), [`1 task waits for ${T}: it asked to be left alone for 1.1 s more`]);
  });

  it('is the rate where that is what bounds it', () => {
    tell('a', 2, 0, { inFlight: 3, perSecond: 0.5 });
    decide();
    assert.deepEqual(said(), [`1 task waits for ${T}: at most 0.5/s`]);
  });
});

describe('a node whose tasks talk to more targets than it can have lanes', () => {
  it('is refused', () => {
    book.joined('a');
    const news = { runId: 'r', waiting: 1, held: 0, pauseMs: 0 };
    const many = (): void => {
      for (let i = 0; i <= limits.targetsPerNodeMax; i++)
        book.told('a', 0, { ...news, target: `t${i}` }, UNLIMITED, now);
    };
    assert.throws(many, /its tasks talk to more than 131072 targets/);
  });
});
