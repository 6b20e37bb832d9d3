import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LimitView } from '@regatta/kernel';
import { limitTables, nodeLimitTables } from './limits.ts';
import { nodeView } from './testing/views.ts';

const limitView = (name: string, value: number, unit: string): LimitView => ({ name, value, unit, description: 'x' });
const own = limitView('hostTasksMax', 5, 'tasks');
const ofHosts = limitView('host.yieldMs', 10, 'ms');

const shownOf = (value: number, unit: string): string =>
  limitTables('x', [limitView('n', value, unit)])[1]!
    .split('\n')[2]!
    .split(/ {2,}/)[1]!;

describe('a table of limits', () => {
  it('gives each part of a process its own, under its bare names', () => {
    assert.deepEqual(
      limitTables('node n1', [own, ofHosts]).flatMap((text) => text.split('\n')),
      [
        'Limits of node n1',
        ...['limit           value  of what', '────────────  ───────  ───────', 'hostTasksMax  5 tasks  x', ''],
        'Limits of node n1: each of its host processes',
        ...['limit    value  of what', '───────  ─────  ───────', 'yieldMs  10 ms  x', ''],
      ],
    );
  });

  it('says in words which part of a process keeps to them', () => {
    for (const part of ['scheduler', 'fanout', 'politeness', 'journal', 'broker', 'proto', 'host', 'embedded']) {
      const [heading] = limitTables('x', [limitView(`${part}.gatherMs`, 1, 'ms')]);
      assert.match(heading!, /^Limits of x: \w+ .*\w$/, part);
    }
  });

  it('gives sizes in binary units, and long times in larger ones where they are whole', () => {
    assert.deepEqual(
      [1_048_576, 17_179_869_184].map((value) => shownOf(value, 'bytes')),
      ['1.0 MiB', '16.0 GiB'],
    );
    assert.deepEqual(
      [200, 5_000, 10_000, 12_345, 60_000, 90_000, 86_400_000].map((value) => shownOf(value, 'ms')),
      ['200 ms', '5,000 ms', '10 s', '12,345 ms', '1 min', '90 s', '24 h'],
    );
  });

  it('gives all others as they are, parts of one too', () => {
    assert.equal(shownOf(1_000_000, 'parts'), '1,000,000 parts');
    assert.equal(shownOf(0.75, 'of memory'), '0.75 of memory');
  });
});

describe('the limits of several nodes', () => {
  const textOf = (...limits: LimitView[][]): string =>
    nodeLimitTables(limits.map((of, i) => nodeView({ id: `n${i + 1}`, limits: of }))).join('\n');

  it('are told once where they are equal', () => {
    const text = textOf([own, ofHosts], [own, ofHosts]);
    assert.equal(text.match(/yieldMs/g)?.length, 1);
    assert.match(text, /^Limits of node n2: those of node n1$/m);
  });

  it('are told where they differ, and only there', () => {
    const text = textOf([own, ofHosts], [{ ...own, value: 6 }, ofHosts]);
    const [, second] = text.split('Limits of node n2: those of node n1, but\n');
    assert.match(second!, /hostTasksMax {2}6 tasks/);
    assert.doesNotMatch(second!, /yieldMs/);
  });

  it('are told whole where a node has others than the first', () => {
    for (const others of [[ofHosts], [own, limitView('host.gatherMs', 1, 'ms')]]) {
      const text = textOf([own, ofHosts], others);
      const second = text.slice(text.indexOf('Limits of node n2'));
      for (const { name } of others) assert.match(second, new RegExp(`^${name.replace('host.', '')} `, 'm'));
      assert.doesNotMatch(second, /those of/);
    }
  });

  it('of nodes that tell none are left out', () => {
    assert.equal(textOf([], []), '');
    assert.match(textOf([], [own]), /^Limits of node n2\n/);
  });
});
