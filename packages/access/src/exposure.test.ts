import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkListen, checkNats } from './exposure.ts';

const far = { address: '0.0.0.0:7420', hasToken: false, insecure: false, what: 'grpc' } as const;

describe('what listens', () => {
  it('is refused in one line that says what to do, where others reach it without a token', () => {
    assert.throws(() => checkListen(far), {
      code: 'INSECURE_LISTEN',
      message:
        '--listen 0.0.0.0:7420 is open to other hosts and asks for no token: give --token-file FILE, listen on 127.0.0.1, or say --insecure',
    });
    assert.throws(() => checkListen({ ...far, what: 'metrics' }), {
      code: 'INSECURE_LISTEN',
      message: /^--metrics 0\.0\.0\.0:7420 .* give --token-file FILE or --metrics-token-file FILE, listen/,
    });
  });

  it('is as it should be on loopback, or with a token', () => {
    assert.equal(checkListen({ ...far, address: '127.0.0.1:7420' }), undefined);
    assert.equal(checkListen({ ...far, hasToken: true }), undefined);
    assert.equal(checkListen({ ...far, hasToken: true, insecure: true }), undefined);
  });

  it('is warned of where it was called insecure', () => {
    assert.match(checkListen({ ...far, insecure: true })!, /^INSECURE: --listen 0\.0\.0\.0:7420 .*submit runs[^\n]*$/);
  });
});

describe('NATS', () => {
  const nats = { servers: ['nats://127.0.0.1:4222', 'tls://10.0.0.9:4222'], hasCredentials: false, insecure: false };

  it('on another host is refused without credentials, in one line that names it', () => {
    assert.throws(() => checkNats(nats), {
      code: 'INSECURE_NATS',
      message:
        /^NATS at tls:\/\/10\.0\.0\.9:4222 is on another host and is given no credentials: give --nats-user and [^\n]*--insecure$/,
    });
  });

  it('is as it should be on loopback, or with credentials', () => {
    assert.equal(checkNats({ ...nats, servers: ['127.0.0.1:4222', 'nats://[::1]:4222'] }), undefined);
    assert.equal(checkNats({ ...nats, servers: [] }), undefined);
    assert.equal(checkNats({ ...nats, hasCredentials: true }), undefined);
  });

  it('is warned of where it was called insecure', () => {
    assert.match(checkNats({ ...nats, insecure: true })!, /^INSECURE: NATS at tls:\/\/10\.0\.0\.9:4222 is [^\n]*$/);
  });
});
