/** What shared memory does to those who forget that it is shared, and what no model may change. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RunOptions } from '../../services/coordinator/src/cli/run-options.ts';
import { Cluster } from './cluster.ts';
import { type Direct, oneForAll, serialValues } from './direct.ts';
import type { RunJson } from './wire.ts';

/** Two threads that overwrite each other's additions do so within milliseconds; a busy machine may run them in turns. */
const TRIES = 10;

const shapes: readonly Partial<RunOptions>[] = [
  { model: 'serial' },
  { model: 'async', concurrency: 4 },
  { model: 'threads', threads: 2 },
  { model: 'processes', processes: 2 },
  { model: 'hybrid', processes: 2, threads: 2, concurrency: 2 },
];

interface Counter {
  readonly memories: number;
  readonly expected: number;
  readonly counted: number;
  readonly lost: number;
}

describe('a counter in memory that threads share', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ agents: 1 });
  });
  after(() => cluster.stop());

  const count = async (...options: string[]): Promise<Counter> => {
    const inputs = ['--set', 'increments=500000', '--set', 'count=40'];
    const run = await cluster.json<RunJson>(['run', 'shared-counter', ...inputs, '--policy', 'self', ...options]);
    return run.result as Counter;
  };
  const threads = ['--model', 'threads', '--threads', '2'];

  it('loses additions without atomics', async () => {
    let seen: Counter | undefined;
    for (let tries = 0; tries < TRIES && !(seen !== undefined && seen.lost > 0); tries++)
      seen = await count(...threads);
    assert.ok(seen!.lost > 0, `${TRIES} times in a row none was lost`);
    assert.deepEqual([seen!.memories, seen!.expected, seen!.counted], [1, 20_000_000, 20_000_000 - seen!.lost]);
  });

  it('loses none with atomics', async () => {
    const expected = { memories: 1, expected: 20_000_000, counted: 20_000_000, lost: 0 };
    assert.deepEqual(await count(...threads, '--set', 'atomics=true'), expected);
  });

  it('is as many counters as there are processes, and loses none, under processes', async () => {
    const { memories, lost } = await count('--model', 'processes', '--processes', '2');
    assert.deepEqual([memories, lost], [2, 0]);
  });
});

describe('a result of floating point', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  for (const [workload, inputs] of [
    ['monte-carlo-pi', { count: 40, samples: 50_000 }],
    ['matrix-transform', { count: 12, size: 60 }],
  ] as const) {
    it(`of ${workload} is the same to the last digit under every model, in every task and in all`, async () => {
      const expected = await serialValues(workload, inputs);
      for (const shape of shapes) {
        const run = await direct.run(workload, inputs, shape);
        assert.deepEqual(await direct.values(run.runId), expected, shape.model);
      }
      const sets = Object.entries(inputs).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
      const results = new Set<string>();
      for (const { model } of shapes) {
        const run = await cluster.json<RunJson>(['run', workload, ...sets, '--model', model!]);
        results.add(JSON.stringify(run.result));
      }
      assert.equal(results.size, 1, [...results].join('\n'));
    });
  }
});
