import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoordinatorView } from '../cli/views.ts';
import type { Finding } from './finding.ts';
import { judgeStatus } from './status.ts';

const status: CoordinatorView = {
  version: '0.1.0',
  pid: 1,
  uptimeMs: 0,
  rssBytes: 0,
  runsActive: 0,
  runsKept: 0,
  keptMemoryBytes: 0,
  keptDiskBytes: 0,
  steps: 0,
  stepMeanUs: 0,
  stepMaxUs: 0,
  limits: [],
  natsServers: ['box:4222'],
  natsComplaint: '',
  journal: true,
  wantsToken: true,
  insecure: [],
  refusedMissing: 0,
  refusedWrong: 0,
  metricsUrl: '',
  refusedNodes: [],
};
const notOk = (over: Partial<CoordinatorView>): Finding[] =>
  judgeStatus({ ...status, ...over }, 60_000).filter(({ level }) => level !== 'ok');

describe('what the coordinator says of itself', () => {
  it('gives nothing to mend where there is a journal, a token, and nobody was refused', () => {
    assert.deepEqual(notOk({}), []);
  });

  it('is warned of without a journal: runs die with it', () => {
    const [found] = notOk({ journal: false, natsServers: [] });
    assert.deepEqual([found!.level, found!.what], ['warning', 'off: runs die with the coordinator']);
  });

  it('is wrong while its journal waits for NATS', () => {
    const [found] = notOk({ natsComplaint: 'lost NATS at box:4222; trying on' });
    assert.deepEqual([found!.level, found!.what.endsWith('just now: lost NATS at box:4222')], ['wrong', true]);
  });

  it('counts who was refused for a token, where one is asked for', () => {
    assert.match(
      notOk({ refusedMissing: 2, refusedWrong: 1 })[0]!.what,
      /3 calls refused.*2 without a token, 1 with a wrong one/,
    );
    assert.deepEqual(notOk({ wantsToken: false }), []);
  });

  it('names nodes that it refused, the newest, with when, how often and what to do', () => {
    const refused = (nodeId: string, code: string) =>
      ({ nodeId, address: '10.0.0.7:1', code, message: 'it speaks 0', atMs: 48_000, times: 3 }) as const;
    const [found] = notOk({ refusedNodes: [refused('old', 'PROTOCOL_VERSION')] });
    assert.deepEqual([found!.group, found!.name, found!.level], ['nodes', 'old', 'wrong']);
    assert.equal(found!.what, 'refused 12 s ago, 3 times, from 10.0.0.7:1: it speaks 0');
    assert.equal(found!.mend, 'use one version of Regatta everywhere');
    const many = Array.from({ length: 20 }, (_, i) => refused(`n${i}`, 'BAD_FRAME'));
    assert.equal(notOk({ refusedNodes: many }).length, 5);
  });

  it('only warns of a node that has stopped trying to get a name that is taken, and says when it was', () => {
    const refused = (atMs: number, code = 'NAME_TAKEN', nowMs = 400_000): Finding => {
      const node = { nodeId: 'twin', address: '10.0.0.7:1', code, message: 'a node named twin is connected' };
      return judgeStatus({ ...status, refusedNodes: [{ ...node, atMs, times: 40 }] }, nowMs).at(-1)!;
    };
    for (const atMs of [370_000, 400_000, 401_000]) assert.equal(refused(atMs).level, 'wrong');
    assert.equal(refused(370_000).mend, 'give one of the two another --id');
    assert.equal(refused(369_999).level, 'warning');
    const past = refused(100_000);
    assert.equal(
      `${past.level}: ${past.what}`,
      'warning: refused 5 min ago, 40 times, and not since, from 10.0.0.7:1: a node named twin is connected',
    );
    assert.equal(past.mend, 'nothing where it was stopped; where it is to join, give one of the two another --id');
    // Its node-agent has ended.
    assert.equal(refused(100_000, 'PROTOCOL_VERSION').level, 'wrong');
  });
});
