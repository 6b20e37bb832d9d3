import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeView, runView } from '../cli/render/testing/views.ts';
import type { NodeView } from '../cli/views.ts';
import type { Finding } from './finding.ts';
import { judgeNodes } from './nodes.ts';

const GIB = 2 ** 30;
const WIDE = { node: 'n1', tasks: 1, chunks: 1, hosts: 8, shape: { processes: 8, threads: 1, concurrency: 1 } };
const judge = (...nodes: Partial<NodeView>[]): Finding[] =>
  judgeNodes({ nodes: nodes.map((over) => nodeView(over)), before: [], runs: [], version: '0.1.0', nowMs: 60_000 });
const named = (findings: readonly Finding[], name: string): Finding => {
  const [found, ...more] = findings.filter((one) => one.name === name);
  assert.ok(found !== undefined && more.length === 0, `${name} in ${JSON.stringify(findings)}`);
  return found;
};

describe('nodes', () => {
  it('of a sound cluster give nothing to mend', () => {
    const findings = judge({ id: 'a', machine: 'm1' }, { id: 'b', machine: 'm2' });
    assert.deepEqual(
      findings.filter(({ level }) => level !== 'ok'),
      [],
    );
    assert.equal(named(findings, 'a').what, 'alive, 0.1.0 on node24, link protocol 1');
  });

  it('that there are none is warned of: none has joined, or those that had are lost', () => {
    const says = (findings: Finding[]) => findings.map(({ name, level, what }) => `${name} ${level}: ${what}`);
    assert.deepEqual(says(judge()), ['nodes warning: none has joined']);
    assert.deepEqual(says(judge({ state: 'lost', lastSeenMs: 15_000 })), [
      'nodes warning: none is connected now',
      'n1 warning: lost; last heard 45 s ago, from 127.0.0.1:1 (h)',
    ]);
  });

  it('that are lost are warned of beside those that are not', () => {
    const findings = judge({ id: 'a' }, { id: 'b', state: 'lost' });
    assert.deepEqual([named(findings, 'a').level, named(findings, 'b').level], ['ok', 'warning']);
    assert.ok(!findings.some(({ name }) => name === 'b lanes' || name === 'nodes'));
  });

  it('of another minor version are warned of, of another patch not', () => {
    assert.equal(named(judge({ version: '0.2.0' }), 'n1').level, 'warning');
    assert.equal(named(judge({ version: '0.1.9' }), 'n1').level, 'ok');
  });

  it('whose clock is not known yet are not blamed', () => {
    assert.equal(named(judge({ clockOffsetMs: null }), 'n1 clock').level, 'ok');
    assert.equal(named(judge({ clockOffsetMs: 20_000 }), 'n1 clock').level, 'wrong');
  });
});

describe('nodes on one machine', () => {
  it('are warned of where they share fewer cores than they work with together', () => {
    const pair = judge({ id: 'a', cores: 2 }, { id: 'b', cores: 2 });
    assert.equal(named(pair, 'sharing').what, 'a and b share 2 cores and work with 4 lanes');
    assert.ok(!judge({ id: 'a', cores: 1 }, { id: 'b', cores: 1 }).some(({ name }) => name === 'sharing'));
    assert.ok(!judge({ id: 'a', machine: 'x' }, { id: 'b', machine: 'y' }).some(({ name }) => name === 'sharing'));
  });
});

describe('the memory of a node', () => {
  const memory = (hostBytes: number, memoryBytes: number): Finding => {
    const limit = { name: 'hostMemoryBytesMax', value: hostBytes, unit: 'bytes', description: '' };
    return named(judge({ memoryBytes, limits: [limit] }), 'n1 memory');
  };

  it('is enough, too little for all host processes at once, or too little for one', () => {
    assert.equal(memory(GIB, 2 * GIB).level, 'ok');
    assert.equal(memory(1.5 * GIB, 2 * GIB).level, 'warning');
    assert.equal(memory(3 * GIB, 2 * GIB).level, 'wrong');
  });

  it('is not judged of a node that tells no limit', () => {
    assert.equal(named(judge({ limits: [] }), 'n1 memory').level, 'ok');
  });
});

describe('the lanes of a node', () => {
  it('are judged with the runs that go on, and by what held it back since the look before', () => {
    const facts = { nodes: [nodeView({ throttledMs: 5_000 })], runs: [], version: '0.1.0', nowMs: 60_000 };
    const at = (throttledMs: number, pid = 1): Finding =>
      named(judgeNodes({ ...facts, before: [nodeView({ throttledMs, pid })] }), 'n1 lanes');
    assert.equal(at(5_000).level, 'ok');
    assert.match(at(4_700).what, /held it back for 300 ms just now$/);
    // Of another process of that name.
    assert.equal(at(100, 2).level, 'ok');
    const runs = [runView({ state: 'running' }, { nodes: [WIDE] })];
    assert.match(named(judgeNodes({ ...facts, before: [], runs }), 'n1 lanes').what, /run-1 has 8 there/);
  });
});

describe('a node that cannot take chunks from queues', () => {
  it('is wrong, with its own reason', () => {
    const found = named(judge({ queueComplaint: 'lost NATS at box:4222; trying on' }), 'n1 NATS');
    assert.deepEqual([found.level, found.what], ['wrong', 'takes no chunks from queues: lost NATS at box:4222']);
  });
});
