import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from './explain.ts';
import { ModelCluster } from './testing/model-cluster.ts';

const reasons = (cluster: ModelCluster, runId = 'r1') => explain(cluster.scheduler, runId, cluster.now);
const codes = (cluster: ModelCluster) => reasons(cluster).map(({ code }) => code);

describe('asked why a run is not done, the scheduler says', () => {
  it('NO_NODES while none is connected', () => {
    const cluster = new ModelCluster();
    cluster.submit('r1');
    assert.deepEqual(codes(cluster), ['NO_NODES']);
  });

  it('NO_NODE_OFFERS_WORKLOAD while none of those connected has it', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { workload: 'primes' });
    assert.deepEqual(codes(cluster), ['NO_NODE_OFFERS_WORKLOAD']);
    assert.match(reasons(cluster)[0]!.text, /none of 1 connected node offers workload primes/);
  });

  it('LANES_BUSY and IN_FLIGHT while all it may use is at work', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.now = 70;
    assert.deepEqual(codes(cluster), ['LANES_BUSY', 'IN_FLIGHT']);
    const [busy, inFlight] = reasons(cluster);
    assert.equal(busy!.text, '96 tasks wait for a lane; all are busy: a holds chunks: 4 of r1');
    assert.equal(
      inFlight!.text,
      '4 tasks in 4 chunks are being worked on; the oldest, tasks 0..0 on node a, for 70 ms',
    );
  });

  it('NODES_DRAINING where all that could do it drain, which they are and what to do', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b']) cluster.join(id);
    cluster.join('c', { workloads: ['primes'] });
    for (const id of ['a', 'b']) cluster.drain(id);
    cluster.submit('r1');
    assert.deepEqual(reasons(cluster), [
      {
        code: 'NODES_DRAINING',
        text: 'all 2 nodes that offer workload sums drain: a, b; regatta nodes resume NODE lets one work again',
      },
    ]);
    cluster.lose('b');
    const text = 'the only node that offers workload sums drains: regatta nodes resume a lets it work again';
    assert.equal(reasons(cluster)[0]!.text, text);
  });

  it('NODES_DRAINING rather than a backoff that will pass, and how much is still on nodes that drain', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 2 });
    cluster.drain('a', true);
    cluster.letGo(cluster.held('a')[0]!);
    assert.deepEqual(codes(cluster), ['NODES_DRAINING', 'IN_FLIGHT']);
    assert.match(reasons(cluster)[1]!.text, /on node a, for 0 ms; chunks on draining nodes: 1 \(a\)$/);
  });

  it('which nodes drain beside those that are busy', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b']) cluster.join(id, { cores: 1 });
    cluster.submit('r1', { tasks: 100 });
    cluster.drain('a');
    assert.match(reasons(cluster)[0]!.text, /all are busy: b holds chunks: 2 of r1; draining, so handed nothing: a$/);
  });

  it('nothing of nodes that drain where all tasks are handed out to others', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1');
    cluster.join('b');
    cluster.drain('b');
    assert.deepEqual(codes(cluster), ['IN_FLIGHT']);
    assert.doesNotMatch(reasons(cluster)[0]!.text, /drain/);
  });

  it('which other runs hold the lanes', () => {
    const cluster = new ModelCluster();
    cluster.join('a', { cores: 1 });
    cluster.submit('other', { tasks: 100 });
    cluster.submit('r1', { tasks: 1 });
    assert.match(reasons(cluster)[0]!.text, /a holds chunks: 2 of other/);
  });

  it('which nodes are busy, but names a few only', () => {
    const cluster = new ModelCluster();
    for (let i = 0; i < 100; i++) cluster.join(`n${i}`);
    cluster.submit('r1', { tasks: 1_000 });
    assert.match(reasons(cluster)[0]!.text, /n0 holds .*; n4 holds [^;]*; and 95 more$/);
  });

  it('RETRY_BACKOFF, and for how long, while failed tasks wait to be tried again', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 1, retries: 1 });
    cluster.complete(cluster.held()[0]!, [0]);
    assert.deepEqual(codes(cluster), ['RETRY_BACKOFF']);
    const leftMs = cluster.wakeAt - 20;
    cluster.pass(20);
    assert.equal(reasons(cluster)[0]!.text, `1 task waits ${leftMs} ms before the next try`);
  });

  it('that tasks wait to be tried alone', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 3 });
    cluster.die(cluster.holding('r1', 0));
    assert.match(reasons(cluster)[0]!.text, /; 1 of them may have killed a host process and are tried alone$/);
  });

  it('IN_FLIGHT where a node has told of the last task and not yet that the chunk is over', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1');
    cluster.progress(cluster.held()[0]!, 1);
    assert.deepEqual(codes(cluster), ['IN_FLIGHT']);
    assert.match(reasons(cluster)[0]!.text, /attempt 1, has no task left, on node a/);
  });

  it('QUEUE_FULL and IN_FLIGHT while as much is queued as its nodes can have', () => {
    const cluster = new ModelCluster();
    for (const id of ['a', 'b']) cluster.join(id);
    cluster.submit('r1', { tasks: 100, queued: true });
    cluster.drain('b');
    cluster.now = 70;
    assert.deepEqual(reasons(cluster), [
      {
        code: 'QUEUE_FULL',
        text:
          '92 tasks wait until the queue has room; 8 chunks in the queue or with the nodes that pull: a; ' +
          'draining, so handed nothing: b',
      },
      {
        code: 'IN_FLIGHT',
        text:
          '8 tasks in 8 chunks are in the queue or being worked on; the oldest, tasks 0..0 in the queue or pulled ' +
          'from it, for 70 ms',
      },
    ]);
  });

  it('why nobody pulls what is queued, though nothing else is left to hand out', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { queued: true });
    cluster.drain('a');
    assert.deepEqual(codes(cluster), ['NODES_DRAINING', 'IN_FLIGHT']);
    cluster.lose('a');
    assert.deepEqual(codes(cluster), ['NO_NODES', 'IN_FLIGHT']);
    cluster.join('b', { workloads: ['primes'] });
    assert.deepEqual(codes(cluster), ['NO_NODE_OFFERS_WORKLOAD', 'IN_FLIGHT']);
    cluster.join('c');
    assert.deepEqual(codes(cluster), ['IN_FLIGHT']);
  });

  it('RETRY_BACKOFF of a queued run as of any', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { retries: 1, queued: true });
    cluster.complete(cluster.held()[0]!, [0], { retryAfterMs: [700] });
    assert.deepEqual(reasons(cluster), [{ code: 'RETRY_BACKOFF', text: '1 task waits 700 ms before the next try' }]);
  });

  it('that a queue has to be emptied, where a queued run is stopped', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { queued: true });
    cluster.stop('r1');
    assert.match(reasons(cluster)[0]!.text, /waiting for its queue and its nodes to let go$/);
  });

  it('STOPPING, and on whose word, until its nodes have let go', () => {
    const cluster = new ModelCluster();
    cluster.join('a');
    cluster.submit('r1', { tasks: 100 });
    cluster.stop('r1');
    assert.deepEqual(codes(cluster), ['STOPPING', 'IN_FLIGHT']);
    assert.match(reasons(cluster)[0]!.text, /someone asked/);
  });

  it('ENDED where it has ended or never was', () => {
    const cluster = new ModelCluster();
    assert.deepEqual(codes(cluster), ['ENDED']);
    cluster.join('a');
    cluster.submit('r1');
    cluster.complete(cluster.held()[0]!);
    assert.deepEqual(codes(cluster), ['ENDED']);
  });
});
