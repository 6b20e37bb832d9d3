/** Random histories of nodes and targets. What must hold at every step is checked in testing/model-nodes.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ModelCluster } from './testing/model-nodes.ts';

const NODES = 3;
const TARGETS = ['a:1', 'b:2'];

const kinds = ['want', 'want', 'want', 'finish', 'finish', 'hear', 'hear', 'deliver', 'deliver', 'tidy'] as const;
const rare = ['lose', 'connect', 'pause', 'tell again'] as const;
const step = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...kinds) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  ),
  node: fc.nat(NODES - 1),
  which: fc.nat(7),
  ms: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 50, max: 400 })),
});
const asked = fc.record({
  inFlight: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Number.POSITIVE_INFINITY)),
  perSecond: fc.oneof(fc.constantFrom(2.5, 20, 900), fc.constant(Number.POSITIVE_INFINITY)),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function take(cluster: ModelCluster, { kind, node: index, which, ms }: Step): void {
  const node = cluster.nodes[index]!;
  const target = TARGETS[which % TARGETS.length]!;
  const runId = `r${(which >> 1) % cluster.runs.size}`;
  switch (kind) {
    case 'want':
      node.want(runId, target);
      if (node.link > 0) node.speak();
      break;
    case 'finish': {
      const busy = [...node.spots.values()].filter(({ using }) => using > 0);
      if (busy.length > 0) node.finish(busy[which % busy.length]!);
      if (node.link > 0) node.speak();
      break;
    }
    case 'hear':
      cluster.hear(node);
      break;
    case 'deliver':
      cluster.deliver(node);
      break;
    case 'tidy':
      node.tidy();
      if (node.link > 0) node.speak();
      break;
    case 'lose':
      if (node.link > 0) cluster.lose(node);
      break;
    case 'connect':
      if (node.link === 0) cluster.connect(node);
      break;
    case 'pause':
      for (const spot of node.spots.values()) spot.changed = true;
      if (node.link > 0) node.speak({ target, ms: 50 * which });
      break;
    case 'tell again':
      for (const spot of node.spots.values()) spot.changed = true;
      if (node.link > 0) node.speak();
      break;
  }
  cluster.pass(ms);
}

describe('whatever nodes ask for, and whatever becomes of them', () => {
  it('of one limit no more than it permits is out, none too soon, and everybody is served (T1 to T4)', () => {
    fc.assert(
      fc.property(asked, fc.array(step, { maxLength: 150, size: 'max' }), (limits, steps) => {
        const cluster = new ModelCluster(NODES, [limits]);
        for (const one of steps) take(cluster, one);
        assert.equal(cluster.settle(), 0, 'some were never served');
      }),
      { numRuns: 1000 },
    );
  });

  it('of several limits each run’s own is kept to when it is given a permit, and everybody is served', () => {
    fc.assert(
      fc.property(
        fc.array(asked, { minLength: 2, maxLength: 3 }),
        fc.array(step, { maxLength: 150, size: 'max' }),
        (limits, steps) => {
          const cluster = new ModelCluster(NODES, limits);
          for (const one of steps) take(cluster, one);
          assert.equal(cluster.settle(), 0, 'some were never served');
        },
      ),
      { numRuns: 1000 },
    );
  });
});
