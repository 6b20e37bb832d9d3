import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import reporter from './reporter.ts';
import { readSkips, skipNotice } from './skips.ts';

async function noticeAfter(...tests: { name: string; skip?: string | boolean; todo?: string }[]): Promise<string> {
  const events = tests.map((data) => ({ type: 'test:pass', data: { file: import.meta.filename, ...data } }));
  const noise = [{ type: 'test:start', data: { name: 'noise', skip: true } }, ...events] as unknown as TestEvent[];
  let text = '';
  for await (const line of reporter(ReadableStream.from(noise) as unknown as AsyncIterable<TestEvent>)) text += line;
  return skipNotice(readSkips(text));
}

describe('after a test run', () => {
  it('nothing is said where nothing was skipped', async () => {
    assert.equal(await noticeAfter({ name: 'ran' }, { name: 'ran too', todo: 'some day' }), '');
  });

  it('every skipped test is named with its file and its reason', async () => {
    const notice = await noticeAfter({ name: 'ran' }, { name: 'a', skip: 'no Docker here' }, { name: 'b', skip: '' });
    assert.match(notice, /2 TESTS WERE SKIPPED/);
    assert.match(notice, /scripts\/test\/skips\.test\.ts: a: no Docker here/);
    assert.match(notice, /b: NO REASON GIVEN/);
  });

  it('one that is skipped without a reason counts too', async () => {
    assert.match(await noticeAfter({ name: 'a', skip: true }), /1 TEST WAS SKIPPED/);
  });
});
