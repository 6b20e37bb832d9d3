import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { LaneQueue } from './inline-lanes.ts';

interface Entrant {
  readonly cancel: AbortController;
  /** What gives the lane back, once it has been let in or has passed. */
  leave: (() => void) | undefined;
  /** As it should be. */
  state: 'waiting' | 'at work' | 'passed' | 'gone';
}

/** A queue beside what it should do: first come, first served, and whoever is cancelled while waiting passes. */
class Checked {
  readonly queue: LaneQueue;
  readonly #lanes: number;
  readonly #entrants: Entrant[] = [];

  constructor(lanes: number) {
    this.#lanes = lanes;
    this.queue = new LaneQueue(lanes);
  }

  enter(cancelled: boolean): void {
    const entrant: Entrant = { cancel: new AbortController(), leave: undefined, state: 'waiting' };
    if (cancelled) entrant.cancel.abort();
    this.#entrants.push(entrant);
    if (this.#in('at work').length < this.#lanes) entrant.state = 'at work';
    else if (cancelled) entrant.state = 'passed';
    void this.queue.enter(entrant.cancel.signal).then((leave) => {
      entrant.leave = leave;
    });
  }

  cancel(which: number): void {
    const entrant = this.#entrants[which % this.#entrants.length];
    if (entrant === undefined) return;
    if (entrant.state === 'waiting') entrant.state = 'passed';
    entrant.cancel.abort();
  }

  leave(which: number): void {
    const there = [...this.#in('at work'), ...this.#in('passed')];
    const entrant = there[which % there.length];
    if (entrant?.leave === undefined) return;
    const [next] = this.#in('waiting');
    if (entrant.state === 'at work' && next !== undefined) next.state = 'at work';
    entrant.state = 'gone';
    entrant.leave();
  }

  async check(): Promise<void> {
    await turn();
    assert.ok(this.#in('at work').length <= this.#lanes);
    const waits = this.#entrants.map(({ leave }) => leave === undefined);
    assert.deepEqual(
      waits,
      this.#entrants.map(({ state }) => state === 'waiting'),
    );
    assert.equal(this.queue.idle, this.#in('at work', 'waiting').length === 0);
  }

  #in(...states: Entrant['state'][]): Entrant[] {
    return this.#entrants.filter(({ state }) => states.includes(state));
  }
}

describe('a queue for lanes', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('enter' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('enter cancelled' as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const), which: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const), which: fc.nat() }) },
  );
  // Whether what came of a step is heard before the next one.
  const steps = fc.array(fc.tuple(step, fc.boolean()), { maxLength: 40 });

  it('never has more at work than lanes, whoever is cancelled when; and lets in whoever came first', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (lanes, steps) => {
        const checked = new Checked(lanes);
        for (const [{ kind, which }, heard] of steps) {
          if (kind === 'cancel') checked.cancel(which);
          else if (kind === 'leave') checked.leave(which);
          else checked.enter(kind === 'enter cancelled');
          if (heard) await checked.check();
        }
        await checked.check();
      }),
      { numRuns: 200 },
    );
  });

  it('lets one that is cancelled pass at once, and frees no lane when that one leaves', async () => {
    const queue = new LaneQueue(1);
    const { signal } = new AbortController();
    const leave = await queue.enter(signal);
    const cancel = new AbortController();
    const passing = queue.enter(cancel.signal);
    let third = false;
    const entering = queue.enter(signal).then((leave) => {
      third = true;
      return leave;
    });
    cancel.abort();
    (await passing)();
    await turn();
    assert.equal(third, false);
    leave();
    (await entering)();
    assert.ok(queue.idle);
  });
});
