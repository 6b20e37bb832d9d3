import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgePorts, type MetricsPort } from './ports.ts';
import { failed } from './probe.ts';
import type { Target } from './prometheus.ts';

const answered = { kind: 'answered', value: 'ok' } as const;
const port = (over: Partial<MetricsPort> = {}): MetricsPort => ({
  name: 'a',
  address: '10.0.0.6:7422',
  from: '10.0.0.6:50000',
  answer: answered,
  ...over,
});
const target: Target = { job: 'regatta-nodes', address: '10.0.0.6:7422', node: 'a', health: 'up', lastError: '' };
const judge = (over: Partial<MetricsPort>, targets?: readonly Target[]) => judgePorts([], [port(over)], targets)[0]!;
const closed = failed('connection refused');

describe('metrics of a node', () => {
  it('that answer here are well', () => {
    assert.deepEqual([judge({}).level, judge({}).what], ['ok', '10.0.0.6:7422 answers']);
  });

  it('that do not answer here are not blamed: Prometheus’s view counts', () => {
    assert.match(judge({ answer: closed }).what, /not reachable from here \(connection refused\); with --prometheus/);
    assert.match(judge({ answer: closed }, [target]).what, /not reachable from here .*; Prometheus reaches it/);
    assert.match(judge({ answer: closed }, [{ ...target, health: 'down' }]).what, /see there/);
    assert.equal(judge({ answer: closed }, [target]).level, 'ok');
  });

  it('that are told to be on loopback, by a node on another host, are warned of', () => {
    assert.equal(judge({ address: '127.0.0.1:7422' }).level, 'warning');
    assert.match(judge({ address: '127.0.0.1:7422' }).mend!, /--advertise-metrics/);
    assert.equal(judge({ address: '127.0.0.1:7422', from: '127.0.0.1:50000' }).level, 'ok');
  });

  it('that are not served are warned of where there is a Prometheus', () => {
    assert.equal(judge({ address: '', answer: closed }).level, 'ok');
    assert.equal(judge({ address: '', answer: closed }, []).level, 'warning');
  });
});
