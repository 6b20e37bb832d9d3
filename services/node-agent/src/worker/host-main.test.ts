import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { limits } from './limits.ts';
import { HostProcess } from './testing/host-process.ts';

let host: HostProcess;
afterEach(() => host.end());

const list = (length: number) => ({ length, pieces: 10_000, seed: 1 });

describe('a host whose workload has shared data', () => {
  it('says so before it makes them, where tasks have a time limit: to make them may take for ever', async () => {
    host = new HostProcess(1, 1);
    // These cannot be made: what is said before is the host's own word, and not that of a task that begins.
    host.open('timed', 'sum-list', list(-1), { taskTimeoutMs: 60_000 });
    host.order(host.chunk(1, 'timed', 3, 5));
    await host.ended(1);
    assert.deepEqual(
      host.of(1).map(({ from, to, end, thread }) => [from, to, end.kind, thread]),
      [
        [3, 3, 'open', 0],
        [3, 5, 'completed', 0],
      ],
    );
  });

  it('fails every task of a chunk where they cannot be made, and tells their stack once', async () => {
    host = new HostProcess(1, 1);
    host.open('a', 'sum-list', list(-1));
    const to = 2 * limits.failuresPerNewsMax + 500;
    host.order(host.chunk(1, 'a', 0, to));
    await host.ended(1);
    const failures = host.of(1).flatMap((news) => news.failures);
    assert.deepEqual([host.endOf(1), failures.length, host.values(1).length], ['completed', to, to]);
    assert.deepEqual([...new Set(failures.map(({ code }) => code))], ['SHARED_THREW']);
    assert.match(failures[0]!.message, /^its shared data could not be made: /);
    assert.deepEqual(failures.map(({ stack }) => stack !== '').indexOf(true, 1), -1);
    assert.ok(host.of(1).every((news) => news.failures.length <= limits.failuresPerNewsMax));
  });
});
