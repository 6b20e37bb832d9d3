import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import { probe } from './probe.ts';

describe('a probe', () => {
  it('gives the answer', async () => {
    assert.deepEqual(await probe(async () => 7), { kind: 'answered', value: 7 });
  });

  it('gives the reason where there is none, in one line, and its code', async () => {
    const coded = await probe(() => Promise.reject(new RegattaError('X', 'first\nsecond')));
    assert.deepEqual(coded, { kind: 'failed', why: 'first', code: 'X' });
    const refused = Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error('c'), { code: 'ECONNREFUSED' }),
    });
    assert.deepEqual(await probe(() => Promise.reject(refused)), {
      kind: 'failed',
      why: 'connection refused',
      code: '',
    });
  });

  it('ends when its time is up, tells what it asked so, and says that it hangs', async () => {
    let aborted = false;
    const asked = probe((signal) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    }, 10);
    assert.deepEqual(await asked, { kind: 'failed', why: 'it hangs: no answer in 10 ms', code: 'HANGS' });
    assert.ok(aborted);
  });
});
