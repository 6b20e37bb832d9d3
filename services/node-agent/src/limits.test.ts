import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accessLimitViews } from '@regatta/access';
import { brokerLimitViews } from '@regatta/broker';
import { metricsLimitViews } from '@regatta/observe/limits';
import { protoLimits } from '@regatta/proto/limits';
import { limits as fanoutLimits } from './fanout/limits.ts';
import { limits, limitViews } from './limits.ts';
import { limits as politenessLimits } from './politeness/limits.ts';
import { limits as hostLimits } from './worker/limits.ts';

/** A coordinator tells so many of a node, and so much of each. */
const TOLD_MAX = 200;
const CHARACTERS_MAX = 200;

const kept: Record<string, number> = { ...limits, hostTasksMax: 12_345, hostMemoryBytesMax: 300 * 2 ** 20 };
for (const [part, table] of Object.entries({ host: hostLimits, fanout: fanoutLimits, politeness: politenessLimits })) {
  for (const [name, value] of Object.entries(table)) kept[`${part}.${name}`] = value;
}
for (const { name, value } of accessLimitViews()) kept[`access.${name}`] = value;
for (const { name, value } of metricsLimitViews()) kept[`metrics.${name}`] = value;
for (const { name, value } of brokerLimitViews()) kept[`broker.${name}`] = value;
for (const [name, { value }] of Object.entries(protoLimits)) kept[`proto.${name}`] = value;
const told = limitViews({ tasksMax: 12_345, memoryBytesMax: 300 * 2 ** 20 });

describe('what a node tells of its limits', () => {
  it('is every bound of its tables, each once', () => {
    assert.deepEqual(told.map(({ name }) => name).sort(), Object.keys(kept).sort());
  });

  it('is each as it is kept to', () => {
    assert.deepEqual(Object.fromEntries(told.map(({ name, value }) => [name, value])), kept);
  });

  it('is no more than a coordinator tells of it', () => {
    assert.ok(told.length <= TOLD_MAX, `${told.length} limits`);
    for (const { name, unit, description } of told) {
      assert.ok(unit !== '' && description !== '', name);
      for (const text of [name, unit, description]) assert.ok(text.length <= CHARACTERS_MAX, name);
    }
  });
});
