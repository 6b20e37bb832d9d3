import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import { admit } from './admission.ts';
import type { RunRequest } from './run-record.ts';

const good: RunRequest = {
  workload: 'noop',
  kind: 'cpu',
  paramsJson: '{"count":10,"label":"x","loud":true}',
  tasks: 10,
  model: 'processes',
  shape: { processes: 0, threads: 1, concurrency: 1 },
  nodes: 0,
  policy: 'awf',
  chunk: 0,
  retries: 0,
  taskTimeoutMs: 0,
  deadlineMs: 0,
  maxInFlightPerTarget: 0,
  maxRatePerTarget: 0,
  transport: 'grpc',
  until: 'all',
};
const shape = (processes: number, threads: number, concurrency: number) => ({
  shape: { processes, threads, concurrency },
});

function refusal(over: object): string {
  try {
    admit({ ...good, ...over } as RunRequest);
  } catch (thrown) {
    assert.ok(thrown instanceof RegattaError, String(thrown));
    assert.equal(thrown.code, 'BAD_RUN');
    return thrown.message;
  }
  return assert.fail(`admitted ${JSON.stringify(over)}`);
}

describe('a run that makes sense', () => {
  it('is admitted, also at the bounds', () => {
    admit(good);
    const bounds: Partial<RunRequest>[] = [
      { tasks: 1 },
      { tasks: 1_000_000_000 },
      shape(0, 0, 65_536),
      shape(4_096, 16, 1),
      { nodes: 4_096, chunk: 65_536, retries: 100 },
      { taskTimeoutMs: 2 ** 31 - 1, deadlineMs: 0.5 },
      { maxInFlightPerTarget: 65_536, maxRatePerTarget: 0.001 },
      { paramsJson: '{}' },
      { workload: 'w'.repeat(200) },
    ];
    for (const over of bounds) admit({ ...good, ...over });
  });
});

describe('a run that makes no sense', () => {
  const table: [string, object, RegExp][] = [
    ['no tasks', { tasks: 0 }, /^tasks is 0; give a whole number from 1 to 1000000000$/],
    ['too many tasks', { tasks: 1e9 + 1 }, /^tasks is 1000000001;/],
    ['part of a task', { tasks: 1.5 }, /^tasks is 1\.5;/],
    ['tasks that are no number', { tasks: Number.NaN }, /^tasks is NaN;/],
    ['fewer than no processes', shape(-1, 1, 1), /^processes is -1; give a whole number from 0 to 4096$/],
    ['too many threads', shape(1, 4_097, 1), /^threads is 4097;/],
    ['no concurrency', shape(1, 1, 0), /^concurrency is 0; give a whole number from 1 to 65536$/],
    ['too many lanes', shape(4_096, 4_096, 1), /^processes × threads × concurrency is 16777216;/],
    ['too many lanes in an open shape', shape(0, 2, 65_536), /^processes × threads × concurrency is 131072;/],
    ['too many nodes', { nodes: 4_097 }, /^nodes is 4097;/],
    ['too large a chunk', { chunk: 65_537 }, /^chunk is 65537;/],
    ['too many retries', { retries: 101 }, /^retries is 101;/],
    ['an unknown policy', { policy: 'best' }, /^policy "best" is unknown; use static, self, awf$/],
    ['no workload', { workload: '' }, /^it names no workload$/],
    ['too long a name', { workload: 'w'.repeat(201) }, /^it names no workload$/],
    ['inputs that are not JSON', { paramsJson: '{' }, /^its inputs are not JSON$/],
    ['no inputs', { paramsJson: '' }, /^its inputs are not JSON$/],
    ['a list of inputs', { paramsJson: '[1]' }, /^its inputs are not an object of numbers, strings and booleans$/],
    ['null for inputs', { paramsJson: 'null' }, /not an object/],
    ['an input in parts', { paramsJson: '{"a":{"b":1}}' }, /not an object/],
    ['an input that is null', { paramsJson: '{"a":null}' }, /not an object/],
    [
      'too long inputs',
      { paramsJson: `{"a":"${'x'.repeat(65_536)}"}` },
      /^its inputs are longer than 65536 characters$/,
    ],
    ['less than none in flight on a target', { maxInFlightPerTarget: -1 }, /^max in flight per target is -1;/],
    ['part of a task on a target', { maxInFlightPerTarget: 1.5 }, /^max in flight per target is 1\.5;/],
    [
      'too low a rate',
      { maxRatePerTarget: 1e-9 },
      /^max rate per target is 1e-9; give a number from 0\.001 to 1000000/,
    ],
    ['a rate that is no number', { maxRatePerTarget: Number.NaN }, /^max rate per target is NaN;/],
    ['a timeout below zero', { taskTimeoutMs: -1 }, /^timeout is -1 ms; give a time up to 24 days, or none$/],
    ['a transport that is none', { transport: 'mail' as never }, /^transport "mail" is unknown; use grpc or nats$/],
    ['too long a deadline', { deadlineMs: 2 ** 31 }, /^deadline is 2147483648 ms;/],
    ['a deadline that is no number', { deadlineMs: Number.NaN }, /^deadline is NaN ms;/],
  ];
  for (const [what, over, message] of table) {
    it(`is refused for ${what}, in one line`, () => {
      const said = refusal(over);
      assert.match(said, message);
      assert.doesNotMatch(said, /\n/);
    });
  }
});
