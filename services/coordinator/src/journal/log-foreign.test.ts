import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { all, logSite, marked, text, texts, upTo } from './testing/log-site.ts';

const { connected, leading, names } = logSite();

async function publishForeign(subject: string, body = 'not yours'): Promise<void> {
  const { js } = await connected();
  await js.publish(subject, body);
}

describe('a message on our subjects that is not ours', () => {
  it('is passed over by the reader, counted and told in one line, once', async () => {
    const lines: string[] = [];
    const log = await leading({ onPoison: (line) => lines.push(line) });
    await log.append('events', text(0));
    await publishForeign(`${names().subjects}.events`);
    await log.append('events', text(1));
    assert.deepEqual(texts(await all(log)), upTo(2));
    assert.deepEqual(texts(await all(log)), upTo(2));
    assert.equal(log.poisoned, 1);
    const { subjects } = names();
    assert.deepEqual(lines, [
      `message 3 on ${subjects}.events is not the journal's and is passed over: let nothing else publish to ${subjects}.>`,
    ]);
  });

  it('does not fence who leads, nor mix up what it has in flight', async () => {
    const lines: string[] = [];
    const log = await leading({ onPoison: (line) => lines.push(line) });
    const { nc } = await connected();
    const appended: Promise<number>[] = [];
    for (let i = 0; i < 3_000; i++) {
      appended.push(log.append('events', text(i)));
      if (i % 300 === 150) nc.publish(`${names().subjects}.any`, 'not yours');
      if (i % 100 === 0) await delay(1);
    }
    await nc.flush();
    const large = marked(4_000_000);
    const last = log.append('events', large);
    nc.publish(`${names().subjects}.events`, 'not yours');
    const sequence = await last;
    await Promise.all(appended);
    const records = await all(log, { kind: 'events' });
    assert.deepEqual(texts(records.slice(0, -1)), upTo(3_000));
    assert.ok(Buffer.from(large).equals(records.at(-1)!.body));
    assert.equal((await all(log, { from: sequence })).length, 1);
    assert.ok(log.poisoned >= 10, `${log.poisoned} told`);
  });
});
