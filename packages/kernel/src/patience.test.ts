import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it, mock } from 'node:test';
import { atMost } from './patience.ts';

const never = new Promise<void>(() => {});
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

afterEach(() => mock.timers.reset());

describe('work that is waited for at most so long', () => {
  it('is told to have ended where it ends in time, and the wait leaves no timer behind', async () => {
    const before = timers();
    const waited = atMost(60_000, Promise.resolve('what it came to'));
    assert.equal(timers(), before + 1);
    assert.equal(await waited, true);
    assert.equal(timers(), before);
  });

  it('is no longer waited for when the time is up, and not given up before', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const told: boolean[] = [];
    const waited = atMost(1_000, never).then((ended) => told.push(ended));
    mock.timers.tick(999);
    await new Promise(setImmediate);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
    await waited;
    assert.deepEqual(told, [false]);
  });

  it('fails for who waits where it fails in time', async () => {
    const before = timers();
    await assert.rejects(atMost(60_000, Promise.reject(new Error('it broke'))), { message: 'it broke' });
    assert.equal(timers(), before);
  });

  it("may fail later: it is nobody's failure then, and ends no process", async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    assert.equal(await atMost(1, promise), false);
    const unhandled = once(process, 'unhandledRejection').then(() => 'unhandled');
    reject(new Error('too late'));
    const turns = (async () => {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      return 'quiet';
    })();
    assert.equal(await Promise.race([unhandled, turns]), 'quiet');
  });
});
