import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster } from './cluster.ts';

interface LimitJson {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly description: string;
}

interface VerboseJson {
  readonly coordinator: { readonly pid: number };
  readonly figures: { readonly pid: number; readonly rssBytes: number; readonly limits: readonly LimitJson[] };
  readonly nodeLimits: readonly { readonly node: string; readonly limits: readonly LimitJson[] }[];
}

/** Of a limit's name; a count needs no unit there. */
const SUFFIXES = [
  [/Bytes\w*$/, 'bytes'],
  [/Ms\w*$/, 'ms'],
] as const;

describe('regatta status --verbose', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agentArgs: ['--host-memory', '300MiB', '--host-tasks', '12_345'] });
  });
  after(() => cluster.stop());

  it('--json tells the limits of the coordinator and of each node, each with its unit', async () => {
    const { figures, nodeLimits, coordinator } = await cluster.json<VerboseJson>(['status', '--verbose']);
    assert.equal(figures.pid, coordinator.pid);
    assert.ok(figures.rssBytes > 2 ** 20);
    assert.deepEqual(nodeLimits.map(({ node }) => node).sort(), ['node-1', 'node-2']);
    for (const limits of [figures.limits, ...nodeLimits.map((node) => node.limits)]) {
      assert.ok(limits.length >= 5, JSON.stringify(limits));
      for (const { name, value, unit, description } of limits) {
        assert.ok(value > 0 && unit !== '' && description !== '', name);
        for (const [suffix, its] of SUFFIXES) if (suffix.test(name)) assert.equal(unit, its, name);
      }
    }
  });

  it('tells those of a node that were set, as they were set', async () => {
    const { nodeLimits } = await cluster.json<VerboseJson>(['status', '--verbose']);
    const limitOf = (limits: readonly LimitJson[], name: string) => limits.find((limit) => limit.name === name)?.value;
    for (const { limits } of nodeLimits) {
      assert.equal(limitOf(limits, 'hostMemoryBytesMax'), 300 * 2 ** 20);
      assert.equal(limitOf(limits, 'hostTasksMax'), 12_345);
    }
  });

  it('tells them to people with their units, and leaves them out unless asked', async () => {
    const { stdout, code } = await cluster.regatta(['status', '--verbose']);
    assert.equal(code, 0);
    assert.match(stdout, /Limits of the coordinator\n/);
    assert.match(stdout, /Limits of node node-1\n/);
    assert.match(stdout, /hostMemoryBytesMax +300 MiB /);
    assert.match(stdout, /hostTasksMax +12,345 tasks /);
    assert.match(stdout, /leaseMs +[\d,]+ ms /);
    const brief = await cluster.regatta(['status']);
    assert.doesNotMatch(brief.stdout, /Limits|Bytes/);
  });
});
