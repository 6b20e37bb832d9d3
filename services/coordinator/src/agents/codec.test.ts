import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Hello, Outcome } from '@regatta/proto/node';
import { encodeValue, pack } from '@regatta/workloads';
import { introductionOf, outcomeOf } from './codec.ts';

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

it('an outcome that times other tasks than it tells of is refused, with how many of each', () => {
  const results = pack([encodeValue(1), encodeValue(2)]);
  const told = (timing: { wallUs?: Buffer; cpuUs?: Buffer }) =>
    outcomeOf(Outcome.fromPartial({ attemptId: 1, runId: 'r1', from: 0, to: 2, results, timing }));
  const microseconds = (tasks: number): Buffer => Buffer.alloc(4 * tasks, 1);
  for (const name of ['wallUs', 'cpuUs'] as const) {
    assert.throws(() => told({ [name]: microseconds(3) }), { message: 'it times 3 of 2 tasks' });
    assert.equal(told({ [name]: microseconds(2) }).timing[name].length, 2);
    assert.equal(told({ [name]: microseconds(0) }).timing[name].length, 0);
  }
});
