import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Hello } from '@regatta/proto/node';
import { introductionOf } from './codec.ts';

const machine = { id: 'm', hostname: 'h', osCores: 1, quotaCores: 1, quotaLimited: false, memoryBytes: 1, cores: 1 };

it('a node’s metrics are where it says, unless that is no address, or one that only the node itself reaches', () => {
  const told = (metricsAddress: string, from: string): string | undefined =>
    introductionOf(Hello.fromPartial({ nodeId: 'a', machine, metricsAddress }), from).metricsAddress;
  assert.equal(told('10.0.0.6:7422', '10.0.0.6:40000'), '10.0.0.6:7422');
  assert.equal(told('rack1-a:7422', '10.0.0.6:40000'), 'rack1-a:7422');
  assert.equal(told('[fd00::6]:7422', 'fd00::6:40000'), '[fd00::6]:7422');
  for (const none of [
    'http://evil/?',
    'fd00::6:7422',
    '[fd00::6:7422',
    '[rack1-a]:7422',
    ':7422',
    '.:7422',
    '-a:7422',
    'a..b:7422',
    '10.0.0.256:7422',
    '10.0.0:7422',
    'rack1-a:0',
    'rack1-a:65536',
    'rack1-a',
    `${'a'.repeat(64)}:7422`,
  ]) {
    assert.equal(told(none, '10.0.0.6:40000'), '', none);
  }
  assert.equal(told('127.0.0.1:7422', '10.0.0.6:40000'), '');
  assert.equal(told('localhost:7422', 'fd00::6:40000'), '');
  assert.equal(told('127.0.0.1:7422', '127.0.0.1:40000'), '127.0.0.1:7422');
  assert.equal(told('127.0.0.1:7422', '::1:40000'), '127.0.0.1:7422');
  assert.equal(told('127.0.0.1:7422', '::ffff:127.0.0.1:40000'), '127.0.0.1:7422');
});
