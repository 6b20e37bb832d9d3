import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { hasCredentials, resolveNats } from './site.ts';

const directory = mkdtempSync(join(tmpdir(), 'regatta-nats-site-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

describe('--nats', () => {
  it('is none where it is not given or empty', () => {
    assert.equal(resolveNats({}), undefined);
    assert.equal(resolveNats({ nats: '' }), undefined);
  });

  it('is one server or several, with the usual port', () => {
    const servers = ['nats://a:4222', 'nats://b:1', 'tls://[::1]:4222'];
    assert.deepEqual(resolveNats({ nats: 'a,nats://b:1,tls://[::1]' }), { servers });
  });

  it('takes credentials out of the URL, so that no line about a server tells them', () => {
    const servers = ['nats://a:4222', 'nats://b:4222'];
    const withUser = { servers, user: 'me', password: 'p@ss' };
    assert.deepEqual(resolveNats({ nats: 'nats://me:p%40ss@a,nats://me:p%40ss@b' }), withUser);
    assert.deepEqual(resolveNats({ nats: 'nats://me:p%40ss@a,b' }), withUser);
    assert.deepEqual(resolveNats({ nats: 't0ken@a,b' }), { servers, token: 't0ken' });
  });

  for (const text of ['http://a', 'nats://', 'a b', 'a,,b', 'nats://a:99999', 'nats://a/b', 'me:secret@a:x']) {
    it(`is refused in one line where it is ${JSON.stringify(text)}, without what may be secret`, () => {
      const told = /^"[^"]*" is no NATS server; give --nats nats:\/\/HOST:PORT, more of them with commas$/;
      assert.throws(() => resolveNats({ nats: text }), { code: 'BAD_NATS', message: told });
      assert.throws(
        () => resolveNats({ nats: text }),
        (thrown: Error) => !thrown.message.includes('secret'),
      );
    });
  }

  it('is refused where its servers differ in credentials, or these cannot be read', () => {
    for (const nats of ['nats://a:b@x,nats://c:d@y', 'nats://100%:p@x']) {
      assert.throws(() => resolveNats({ nats }), { code: 'BAD_NATS' });
    }
  });
});

describe('credentials in files', () => {
  const nats = 'nats://other:one@a';
  const servers = ['nats://a:4222'];

  it('count more than those in the URL, without the newline at their end', () => {
    const natsPasswordFile = file('password', 'secret\n');
    assert.deepEqual(resolveNats({ nats, natsUser: 'me', natsPasswordFile }), {
      servers,
      user: 'me',
      password: 'secret',
    });
    assert.deepEqual(resolveNats({ nats, natsTokenFile: file('token', 't\n') }), { servers, token: 't' });
  });

  it('are refused where they do not fit together, are missing or empty, or have no server', () => {
    const natsPasswordFile = file('password', 'secret');
    const natsTokenFile = file('token', 't');
    for (const flags of [
      { nats, natsUser: 'me' },
      { nats, natsPasswordFile },
      { nats, natsUser: 'me', natsPasswordFile, natsTokenFile },
      { nats, natsTokenFile: join(directory, 'missing') },
      { nats, natsTokenFile: file('empty', '\n') },
      { natsTokenFile },
    ]) {
      assert.throws(() => resolveNats(flags), { code: /^BAD_(NATS|SECRET)$/, message: /^[^\n]+$/ });
    }
  });

  it('need no server where another process will tell it', () => {
    const natsTokenFile = file('told', 't');
    assert.deepEqual(resolveNats({ natsTokenFile }, true), { servers: [], token: 't' });
    assert.equal(resolveNats({}, true), undefined);
  });

  it('that are empty are as not given', () => {
    const none = { natsUser: '', natsPasswordFile: '', natsTokenFile: '' };
    assert.equal(resolveNats({ nats: '', ...none }), undefined);
    assert.deepEqual(resolveNats({ nats: 'a', ...none }), { servers });
  });
});

describe('a site', () => {
  it('has credentials where NATS can tell us from a stranger', () => {
    assert.deepEqual(
      ['a', 'me:secret@a', 't0ken@a'].map((nats) => hasCredentials(resolveNats({ nats })!)),
      [false, true, true],
    );
  });
});
