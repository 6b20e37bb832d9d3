import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { limits } from './limits.ts';
import { watchForLostChunks } from './lost-chunks.ts';

const empty = { queued: 0, pending: 0, redelivered: 0, unsent: 0 };
type Depth = typeof empty;

let depth: Depth | undefined;
let out: Map<string, { chunks: number; done: number }>;
let lost: string[];
let watch: NodeJS.Timeout;

beforeEach(() => {
  mock.timers.enable({ apis: ['setInterval'] });
  depth = empty;
  out = new Map([['r', { chunks: 3, done: 10 }]]);
  lost = [];
  const queue = { depth: () => Promise.resolve(depth) };
  watch = watchForLostChunks({ queue, out: () => out, onLost: (runId) => lost.push(runId) });
});
afterEach(() => {
  clearInterval(watch);
  mock.timers.reset();
});

/** @param meanwhile called before each look */
async function look(times: number, meanwhile: (look: number) => void = () => {}): Promise<void> {
  for (let n = 0; n < times; n++) {
    meanwhile(n);
    mock.timers.tick(limits.lostLookMs);
    await new Promise(setImmediate);
  }
}

/** The first sees how far the run has come. */
const ENOUGH = limits.lostLooks + 1;

describe('a run that stands still, with chunks out and none in its queue', () => {
  it('is told of after as many looks as the limit says, and no sooner', async () => {
    await look(ENOUGH - 1);
    assert.deepEqual(lost, []);
    await look(1);
    assert.deepEqual(lost, ['r']);
  });

  it('is told of once, then looked at anew', async () => {
    await look(2 * ENOUGH - 1);
    assert.deepEqual(lost, ['r']);
    await look(1);
    assert.deepEqual(lost, ['r', 'r']);
  });
});

describe('a run is left alone', () => {
  for (const part of ['queued', 'pending', 'unsent'] as const)
    it(`while a chunk of it is ${part}`, async () => {
      depth = { ...empty, [part]: 1 };
      await look(3 * ENOUGH);
      assert.deepEqual(lost, []);
    });

  it('while tasks of it end now and then', async () => {
    await look(3 * ENOUGH, (n) => n % limits.lostLooks === 0 && out.set('r', { chunks: 3, done: 10 + n + 1 }));
    assert.deepEqual(lost, []);
  });

  it('that has no chunk out', async () => {
    out.set('r', { chunks: 0, done: 10 });
    await look(3 * ENOUGH);
    assert.deepEqual(lost, []);
  });

  it('while NATS does not say what is in its queue', async () => {
    depth = undefined;
    await look(3 * ENOUGH);
    assert.deepEqual(lost, []);
  });

  it('after one look at which its queue had something', async () => {
    await look(ENOUGH - 1);
    depth = { ...empty, pending: 1 };
    await look(1);
    depth = empty;
    await look(limits.lostLooks - 1);
    assert.deepEqual(lost, []);
  });
});
