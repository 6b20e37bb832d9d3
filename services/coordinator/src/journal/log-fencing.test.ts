import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startNats } from '@regatta/broker/testing';
import type { RegattaError } from '@regatta/kernel';
import { all, logSite, text, texts, upTo } from './testing/log-site.ts';

const { journal, leading, newJournal } = logSite();

describe('a second writer', () => {
  it('fences the first one with all that it has in flight: nothing of it is behind the new term', async () => {
    for (let round = 0; round < 5; round++) {
      newJournal();
      const told: RegattaError[] = [];
      const first = await leading({ onFenced: (error) => told.push(error) });
      const second = await journal();
      const outcomes: Promise<number | string>[] = [];
      const write = (): void => {
        for (let i = 0; i < 50; i++) {
          const appended = first.append('events', text(outcomes.length));
          outcomes.push(appended.catch((error: RegattaError) => error.code));
        }
      };
      const writing = setInterval(write, 1);
      write();
      await delay(20);
      const term = await second.takeOver();
      const own = await Promise.all(Array.from({ length: 100 }, (_, i) => second.append('events', text(i))));
      await outcomes.at(-1);
      clearInterval(writing);
      const ends = await Promise.all(outcomes);
      const stored = ends.filter((end) => typeof end === 'number');
      assert.ok(stored.length > 0 && stored.every((sequence) => sequence < term), 'stored behind the new term');
      assert.ok(ends.slice(stored.length).every((end) => end === 'FENCED'));
      assert.deepEqual(
        own,
        Array.from({ length: 100 }, (_, i) => term + 1 + i),
      );
      const records = await all(second);
      assert.deepEqual(texts(records), [...upTo(stored.length), ...upTo(100)]);
      assert.deepEqual(
        told.map(({ code, message }) => [code, message]),
        [['FENCED', `another coordinator leads: the journal was taken over by the writer of record ${term}`]],
      );
      await assert.rejects(first.append('events', text(0)), { code: 'FENCED' });
    }
  });

  it('takes over though the first one never stops writing', async () => {
    const first = await leading();
    const second = await journal();
    let goesOn = true;
    const writing = (async () => {
      while (goesOn) {
        for (let i = 0; i < 20; i++) void first.append('events', text(i));
        await delay(0);
      }
    })();
    const term = await second.takeOver();
    goesOn = false;
    assert.equal(await second.append('events', text(0)), term + 1);
    await writing;
  });

  it('at the same time: the one whose term is later writes, the other is fenced', async () => {
    const logs = await Promise.all([journal(), journal(), journal()]);
    const terms = await Promise.all(logs.map((log) => log.takeOver()));
    const outcomes = await Promise.all(
      logs.map((log) => log.append('events', text(0)).then(String, ({ code }) => code)),
    );
    const last = terms.indexOf(Math.max(...terms));
    assert.deepEqual(
      outcomes.map((outcome) => outcome === 'FENCED'),
      [0, 1, 2].map((i) => i !== last),
    );
  });

  it('is fenced in turn when the first takes over anew', async () => {
    const [first, second] = [await leading(), await leading()];
    await assert.rejects(first.append('events', text(0)), { code: 'FENCED' });
    await second.append('events', text(0));
    await first.takeOver();
    await first.append('events', text(1));
    await assert.rejects(second.append('events', text(9)), { code: 'FENCED' });
    assert.deepEqual(texts(await all(first)), upTo(2));
  });

  it('that wrote while the first was away is met when that comes back', async () => {
    const own = await startNats();
    const first = await leading({}, own);
    await first.append('events', text(0));
    const second = await journal({}, own);
    await own.kill();
    const late = Array.from({ length: 100 }, () => first.append('events', Buffer.from('late')));
    const taken = second.takeOver();
    await own.restart();
    await taken;
    const before = (await all(second)).filter(({ body }) => Buffer.from(body).toString() === 'late').length;
    await second.append('events', text(1));
    const outcomes = await Promise.allSettled(late);
    // Who is back first is chance; that nothing of it is behind the term is not.
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, before);
    assert.equal(texts(await all(second)).at(-1), 'record 1');
    await own[Symbol.asyncDispose]();
  });

  it('that was fenced may not purge', async () => {
    const [first, second] = [await leading(), await leading()];
    await first.append('events', text(0)).catch(() => {});
    await assert.rejects(first.purge({ kind: 'events' }), { code: 'FENCED' });
    await second.purge({ kind: 'events' });
  });
});

describe('what a leader left behind', () => {
  it('is removed from a sequence on, by kind, up to the new term; appends go on behind it, also over a restart', async () => {
    const own = await startNats();
    const first = await leading({}, own);
    const sequences: number[] = [];
    for (let i = 0; i < 300; i++)
      sequences.push(await first.append(i % 2 ? 'results.run-a' : 'results.run-b', text(i)));
    const second = await leading({}, own);
    const mine = second.append('results.run-a', text(1_000));
    assert.equal(await second.deleteAfter(sequences[99]!, 'results.run-a'), 100);
    await mine;
    assert.equal((await all(second, { kind: 'results.run-a' })).length, 51);
    assert.equal((await all(second, { kind: 'results.run-b' })).length, 150);
    await own.kill();
    await own.restart();
    await second.append('results.run-a', text(1_001));
    assert.equal((await all(second, { kind: 'results.run-a' })).length, 52);
    await own[Symbol.asyncDispose]();
  });
});
