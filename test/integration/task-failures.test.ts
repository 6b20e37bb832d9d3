import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster } from './cluster.ts';
import type { ResultJson, RunJson, ShownRun } from './wire.ts';

const COUNT = 60;
const failing = ['run', 'synthetic', '--set', `count=${COUNT}`, '--set', 'cpuMs=1', '--set', 'failureRate=0.3'];
const models = ['serial', 'async', 'threads', 'processes', 'hybrid'];

describe('tasks that throw', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster.stop());

  for (const model of models) {
    it(`fail alone with message and stack, and the others succeed, under ${model}`, async () => {
      const ended = await cluster.regatta([...failing, '--model', model, '--json']);
      assert.equal(ended.code, 1);
      const run = JSON.parse(ended.stdout) as RunJson;
      assert.equal(run.state, 'failed');
      assert.ok(run.failed > 0);
      assert.ok(run.succeeded > 0);
      assert.equal(run.succeeded + run.failed, COUNT);
      assert.equal(run.cancelled, 0);
      assert.equal(run.failures.length, run.failed);
      for (const failure of run.failures) {
        assert.deepEqual(Object.keys(failure), [
          'task',
          'node',
          'attempt',
          'code',
          'message',
          'stack',
          'exit',
          'signal',
          'rssBytes',
          'stderrTail',
        ]);
        assert.equal(failure.code, 'TASK_THREW');
        assert.equal(failure.message, `made to fail: task ${failure.task}, attempt 1`);
        assert.match(failure.stack, /synthetic\.ts:\d+/);
        assert.match(failure.node, /^node-[12]$/);
        assert.deepEqual([failure.attempt, failure.exit, failure.signal], [1, null, null]);
      }
      const results = await cluster.json<ResultJson[]>(['results', run.runId]);
      const failed = new Set(run.failures.map(({ task }) => task));
      assert.deepEqual(
        results,
        results.map((_, task) => (failed.has(task) ? { task, failed: true } : { task, value: task })),
      );
      assert.equal(results.length, COUNT);
    });
  }

  it('are the same tasks under every model', async () => {
    const failed = new Set<string>();
    for (const model of models) {
      const { failures } = await cluster.json<RunJson>([...failing, '--model', model]);
      failed.add(
        failures
          .map(({ task }) => task)
          .sort((a, b) => a - b)
          .join(),
      );
    }
    assert.equal(failed.size, 1);
  });

  it('are tried again with --retries, and most then pass', async () => {
    const once = await cluster.json<RunJson>(failing);
    const again = await cluster.json<RunJson>([...failing, '--retries', '2']);
    assert.ok(again.failed < once.failed, `${again.failed} of ${once.failed}`);
    for (const { attempt, message, task } of again.failures) {
      assert.equal(attempt, 3);
      assert.equal(message, `made to fail: task ${task}, attempt 3`);
    }
    const shown = await cluster.json<ShownRun>(['show', again.runId]);
    assert.ok(shown.accounting.taskRetries >= once.failed);
    const all = await cluster.regatta([...failing, '--retries', '30', '--json']);
    assert.equal(all.code, 0);
    assert.equal((JSON.parse(all.stdout) as RunJson).succeeded, COUNT);
  });

  it('are named on stderr for people, and the exit code says that some failed', async () => {
    const { code, stderr, stdout } = await cluster.regatta(failing);
    assert.equal(code, 1);
    assert.match(stderr, /TASK_THREW: made to fail: task \d+, attempt 1/);
    assert.match(stderr, /failed: \d+ succeeded, \d+ failed, 0 cancelled/);
    assert.deepEqual(Object.keys(JSON.parse(stdout)), ['tasks', 'bytes']);
  });

  it('make a run fail in which every task failed, with the result of no task', async () => {
    const args = ['run', 'synthetic', '--set', 'count=5', '--set', 'failureRate=1', '--set', 'cpuMs=0', '--json'];
    const { code, stdout } = await cluster.regatta(args);
    assert.equal(code, 1);
    const run = JSON.parse(stdout) as RunJson;
    assert.deepEqual([run.state, run.failed, run.result], ['failed', 5, { tasks: 0, bytes: 0 }]);
  });
});
