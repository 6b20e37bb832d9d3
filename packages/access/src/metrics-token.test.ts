import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { metricsTokenOf } from './metrics-token.ts';
import { joinToken, readToken } from './token.ts';

const JOIN = 'abcdefgh-12345678';

describe('the metrics token that follows from a join token', () => {
  it('is the same wherever it is computed, by whatever', () => {
    // printf %s abcdefgh-12345678 | openssl dgst -sha256 -hmac 'regatta metrics'
    assert.equal(metricsTokenOf(JOIN), '3600321c083c0fa99953dfeb3e94c10868d2cbaa61e85c8348a165b6da2c84b4');
  });

  it('is a token, another one for each join token', () => {
    const derived = metricsTokenOf(JOIN);
    assert.equal(readToken(joinToken(undefined, derived)), derived);
    assert.notEqual(metricsTokenOf(`${JOIN}9`), derived);
  });
});
