import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { advertisedNats } from './nats-options.ts';

describe('--advertise-nats', () => {
  it('is none where it is not given or empty, with NATS or without', () => {
    for (const text of [undefined, '']) assert.equal(advertisedNats(text, text === ''), undefined);
  });

  it('is one server or several, as nodes are told of them', () => {
    const told = ['a:4222', '10.0.0.5:4223', 'tls://[::1]:4222'];
    assert.deepEqual(advertisedNats('a,nats://10.0.0.5:4223,tls://[::1]', true), told);
  });

  for (const [text, why] of [
    ['nats://me:hunter2@a', /is told to every node, and must have no user, password or token in it$/],
    ['hunter2@a', /must have no user, password or token in it$/],
    ['me:hunter2@a:x', /must be nats:\/\/HOST:PORT, more of them with commas$/],
    ['http://a', /must be nats:\/\/HOST:PORT/],
    ['a,,b', /must be nats:\/\/HOST:PORT/],
    ['nats://a:99999', /must be nats:\/\/HOST:PORT/],
    ['a,nats://0.0.0.0:4222', /has 0\.0\.0\.0:4222, which no other host can dial; give an address of this one$/],
    ['tls://[::]', /has tls:\/\/\[::\]:4222, which no other host can dial/],
  ] as const) {
    it(`is refused in one line where it is ${JSON.stringify(text)}, without what may be secret`, () => {
      assert.throws(
        () => advertisedNats(text, true),
        ({ code, message }: Error & { code: string }) => {
          assert.match(message, /^--advertise-nats [^\n]+$/);
          assert.match(message, why);
          return code === 'BAD_NATS' && !message.includes('hunter2');
        },
      );
    });
  }

  it('is refused where there is no NATS to tell of', () => {
    assert.throws(() => advertisedNats('a', false), {
      code: 'BAD_NATS',
      message: '--advertise-nats tells nodes of a NATS that this coordinator does not use; give --nats as well',
    });
  });
});
