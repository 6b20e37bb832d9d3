import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { all, logSite, marked, text, texts, upTo } from './testing/log-site.ts';

const { leading, names } = logSite();

describe('a journal that is full', () => {
  it('refuses what does not fit and all behind it, in one line; takes more once there is room', async () => {
    const log = await leading({ bytesMax: 1_000_000 });
    const bodies = Array.from({ length: 20 }, () => log.append('events', marked(90_000)));
    const outcomes = await Promise.allSettled(bodies);
    const stored = outcomes.findIndex(({ status }) => status === 'rejected');
    assert.ok(stored > 5 && outcomes.slice(stored).every(({ status }) => status === 'rejected'));
    await assert.rejects(log.append('events', marked(90_000)), {
      code: 'JOURNAL_FULL',
      message: `the journal is full (maximum bytes exceeded): forget old runs, or give the NATS stream ${names().stream} more room`,
    });
    assert.equal((await all(log)).length, stored);
    assert.equal(await log.purge({ kind: 'events' }), stored);
    await log.append('events', text(0));
    assert.deepEqual(texts(await all(log)), upTo(1));
  });

  it('can be taken over all the same, for only who leads can make room', async () => {
    const first = await leading({ bytesMax: 100_000 });
    for (let size = 50_000; size > 0; size = Math.floor(size / 2)) {
      while (
        await first.append('events', marked(size)).then(
          () => true,
          () => false,
        )
      );
    }
    const second = await leading({ bytesMax: 100_000 });
    await second.purge({ kind: 'events' });
    await second.append('events', text(0));
    assert.deepEqual(texts(await all(second)), upTo(1));
  });
});
