import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accessLimitViews } from '@regatta/access';
import { brokerLimitViews } from '@regatta/broker';
import { metricsLimitViews } from '@regatta/observe/limits';
import { protoLimits } from '@regatta/proto/limits';
import { limits as schedulerLimits } from '@regatta/scheduler';
import { doorLimitViews } from '../access/limits.ts';
import { OPEN_TO_ALL } from '../access/refusals.ts';
import { RefusedNodes } from '../agents/refused-nodes.ts';
import { Engine } from '../engine/engine.ts';
import { limits } from '../engine/limits.ts';
import { limits as fanoutLimits } from '../fanout/limits.ts';
import { limits as journalLimits } from '../journal/limits.ts';
import { observingLimitViews } from '../observe/limits.ts';
import { limits as politenessLimits } from '../politeness/limits.ts';
import { coordinatorStatusOf } from './codec.ts';

const NO_PROGRESS_MS = 12_345;
const engine = new Engine({
  spillDirectory: '/nowhere',
  noProgressMs: NO_PROGRESS_MS,
  onBroken: () => {},
  onStuck: () => {},
});
const kept: Record<string, number> = { ...limits, noProgressMs: NO_PROGRESS_MS };
for (const [part, table] of Object.entries({
  scheduler: schedulerLimits,
  fanout: fanoutLimits,
  politeness: politenessLimits,
  journal: journalLimits,
})) {
  for (const [name, value] of Object.entries(table)) kept[`${part}.${name}`] = value;
}
for (const { name, value } of [...accessLimitViews(), ...doorLimitViews()]) kept[`access.${name}`] = value;
for (const { name, value } of [...metricsLimitViews(), ...observingLimitViews()]) kept[`metrics.${name}`] = value;
for (const { name, value } of brokerLimitViews()) kept[`broker.${name}`] = value;
for (const [name, { value }] of Object.entries(protoLimits)) kept[`proto.${name}`] = value;
const self = { version: '0.1.0', access: OPEN_TO_ALL, refusedNodes: new RefusedNodes(), metricsUrl: () => '' };
const told = coordinatorStatusOf(engine, self).limits;

describe('what the coordinator tells of its limits', () => {
  it('is every bound of its tables, each once', () => {
    assert.deepEqual(told.map(({ name }) => name).sort(), Object.keys(kept).sort());
  });

  it('is each as it is kept to', () => {
    assert.deepEqual(Object.fromEntries(told.map(({ name, value }) => [name, value])), kept);
  });

  it('has a unit that fits the name, and words', () => {
    for (const { name, unit, description } of told) {
      assert.ok(unit !== '' && description !== '', name);
      if (/Bytes/.test(name)) assert.equal(unit, 'bytes', name);
      if (/Ms/.test(name)) assert.equal(unit, 'ms', name);
    }
  });
});
