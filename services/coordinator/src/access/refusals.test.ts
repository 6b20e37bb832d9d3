import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { limits } from '../engine/limits.ts';
import { Refusals } from './refusals.ts';

let lines: string[];
let refusals: Refusals;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  lines = [];
  const warn = (counts: object, line: string): void => void lines.push(`${JSON.stringify(counts)} ${line}`);
  refusals = new Refusals({ warn } as ConstructorParameters<typeof Refusals>[0]);
});
afterEach(() => mock.timers.reset());

const noteMany = (count: number): void => {
  for (let i = 0; i < count; i++) refusals.note('grpc', 'wrong', `10.0.0.${i}:1`);
};

describe('calls without the right token', () => {
  it('are counted by the door and what was wrong', () => {
    refusals.note('grpc', 'missing', 'a:1');
    refusals.note('metrics', 'missing', 'b:1');
    noteMany(3);
    assert.deepEqual(refusals.counts, { grpc: { missing: 1, wrong: 3 }, metrics: { missing: 1, wrong: 0 } });
  });

  it('get a line in the log: the first at once, with its peer', () => {
    refusals.note('grpc', 'missing', '10.0.0.9:4711');
    const counts = '{"grpc":{"missing":1,"wrong":0},"metrics":{"missing":0,"wrong":0}}';
    assert.deepEqual(lines, [`${counts} refused a call from 10.0.0.9:4711: it gave no token`]);
  });

  it('of whoever asks for metrics say that it is their token', () => {
    refusals.note('metrics', 'wrong', '10.0.0.9');
    assert.match(lines[0]!, /refused a look at metrics from 10\.0\.0\.9: its metrics token is wrong$/);
  });

  it('get no more than one line in each while, and it says how many there were', () => {
    noteMany(1_000);
    assert.equal(lines.length, 1);
    mock.timers.tick(limits.refusalLogMs - 1);
    assert.equal(lines.length, 1);
    mock.timers.tick(1);
    const more = 'refused 999 more calls, the last from 10.0.0.999:1: its token is wrong';
    assert.deepEqual(lines.slice(1), [`{"grpc":{"missing":0,"wrong":1000},"metrics":{"missing":0,"wrong":0}} ${more}`]);
    noteMany(2);
    assert.equal(lines.length, 2);
    mock.timers.tick(limits.refusalLogMs);
    assert.match(lines[2]!, /refused 2 more calls/);
  });

  it('get none after that, until there is another one', () => {
    noteMany(1);
    mock.timers.tick(3 * limits.refusalLogMs);
    assert.equal(lines.length, 1);
    noteMany(1);
    assert.equal(lines.length, 2);
  });
});
