import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressesOf } from './address.ts';

describe('an address of NATS', () => {
  it('is a host with or without port and protocol, several with commas', () => {
    assert.deepEqual(addressesOf(['nats://a:1, b', 'tls://c', '[::1]:5']), {
      servers: ['a:1', 'b:4222', 'tls://c:4222', '[::1]:5'],
    });
  });

  it('may carry user and password, or a token, which are not shown with it', () => {
    assert.deepEqual(addressesOf(['x:1', 'nats://me:p%40ss@y:2']), {
      servers: ['x:1', 'y:2'],
      user: 'me',
      password: 'p@ss',
    });
    assert.deepEqual(addressesOf(['nats://s3cret@y:2']), { servers: ['y:2'], token: 's3cret' });
  });

  it('is refused in one line where it is none, without its password', () => {
    for (const [text, shown] of [
      ['http://x', 'http://x'],
      ['nats://me:secret@x:99999', 'nats://…@x:99999'],
      ['me:secret@:4', '…@:4'],
      ['nats://a:%ff@x', 'nats://…@x'],
    ] as const) {
      const message = `${shown} is no address of NATS: write host:port or nats://host:port`;
      assert.throws(() => addressesOf([text]), { code: 'BAD_NATS_ADDRESS', message });
    }
    assert.throws(() => addressesOf(['', ' , ']), { code: 'BAD_NATS_ADDRESS', message: /^no address/ });
  });
});
