import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { addRunOptions, planRun, type RunOptions } from './run-options.ts';

const plain: RunOptions = { policy: 'awf', retries: 0 };
const modelFor = (options: Partial<RunOptions>): string => planRun('noop', { ...plain, ...options }).spec.model;

function parsed(...words: string[]): RunOptions {
  const refuse = (error: Error): never => {
    throw error;
  };
  const command = addRunOptions(new Command().exitOverride(refuse).configureOutput({ writeErr: () => {} }));
  return command.parse(words, { from: 'user' }).opts<RunOptions>();
}

describe('with no options', () => {
  it('runs under awf, with no retries, on all nodes, without limits of time', () => {
    const { spec } = planRun('noop', parsed());
    const { policy, retries, nodes, chunk, taskTimeoutMs, deadlineMs } = spec;
    assert.deepEqual([policy, retries, nodes, chunk, taskTimeoutMs, deadlineMs], ['awf', 0, 0, 0, 0, 0]);
  });

  it('takes the workload’s own inputs and counts its tasks', () => {
    const { spec, params } = planRun('noop', parsed());
    assert.deepEqual([params, spec.paramsJson, spec.tasks], [{ count: 1000 }, '{"count":1000}', 1000]);
  });
});

describe('with options', () => {
  it('asks for what they say', () => {
    const words = '--model hybrid --processes 2 --threads 3 --concurrency 4 --nodes 5 --policy self --chunk 6';
    const { spec } = planRun(
      'noop',
      parsed(...words.split(' '), '--timeout', '500ms', '--deadline', '2', '--set', 'count=7'),
    );
    assert.deepEqual(spec.shape, { processes: 2, threads: 3, concurrency: 4 });
    const { nodes, policy, chunk, tasks, taskTimeoutMs, deadlineMs } = spec;
    assert.deepEqual([nodes, policy, chunk, tasks, taskTimeoutMs, deadlineMs], [5, 'self', 6, 7, 500, 2000]);
  });

  it('asks to be polite as they say, where there is somebody to be polite to', () => {
    const words = ['--max-in-flight-per-target', '3', '--max-rate-per-target', '0.5'];
    const { spec } = planRun('web-scraper', parsed(...words));
    assert.deepEqual([spec.maxInFlightPerTarget, spec.maxRatePerTarget], [3, 0.5]);
    const { spec: plain } = planRun('web-scraper', parsed());
    assert.deepEqual([plain.maxInFlightPerTarget, plain.maxRatePerTarget], [0, 0]);
    assert.throws(() => planRun('noop', parsed(...words)), { code: 'NO_TARGET' });
    for (const bad of ['0', '-1', '1e9', 'x', '0.0001']) {
      assert.throws(() => parsed('--max-rate-per-target', bad), { name: 'CommanderError' }, bad);
      assert.throws(() => parsed('--max-in-flight-per-target', bad), { name: 'CommanderError' }, bad);
    }
  });

  it('refuses those out of bounds', () => {
    const bad = ['--model x', '--policy x', '--threads 0', '--nodes 4097', '--chunk 0', '--retries -1', '--set x'];
    for (const text of bad) assert.throws(() => parsed(...text.split(' ')), { name: 'CommanderError' }, text);
  });
});

describe('with no model named', () => {
  it('takes the one that the widths imply', () => {
    assert.equal(modelFor({}), 'processes');
    assert.equal(modelFor({ threads: 4 }), 'threads');
    assert.equal(modelFor({ concurrency: 4 }), 'async');
    assert.equal(modelFor({ processes: 4 }), 'processes');
    assert.equal(modelFor({ processes: 2, threads: 2 }), 'hybrid');
  });
});

describe('where the run makes no sense', () => {
  it('names the workloads there are', () => {
    const message = /^no workload "nope"; there are: number-cruncher, .*, noop, /;
    assert.throws(() => planRun('nope', plain), { code: 'NO_SUCH_WORKLOAD', message });
  });

  it('says so before there is a coordinator to say it', () => {
    const wide = { ...plain, processes: 4096, threads: 4096 };
    assert.throws(() => planRun('noop', wide), { code: 'BAD_RUN' });
    assert.throws(() => planRun('noop', { ...plain, set: { count: '0' } }), { code: 'BAD_PARAMETER' });
    assert.throws(() => planRun('noop', { ...plain, model: 'serial', threads: 2 }), { code: 'BAD_SHAPE' });
  });
});
