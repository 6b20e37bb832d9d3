import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureView, runView } from '../../services/coordinator/src/cli/render/testing/views.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { Chance } from '../integration/hostile.ts';
import { jobOf } from '../soak/job.ts';
import { type Seen, takenBack, verdictOfList, verdictOfRun } from './verdict.ts';

const job = jobOf(new Chance(1), {
  kind: 'trial',
  workload: 'noop',
  inputs: {},
  isRight: (task, value) => value === task,
});
const poisoned = { ...job, poisoned: new Set([3]), codes: ['HOST_DIED'] };

const valuesOf = (...tasks: number[]) => new Map(tasks.map((task) => [task, task]));
const all = valuesOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
const seen = (more: Partial<Seen> = {}): Seen => ({ job, run: runView(), values: all, doubled: [], falls: 9, ...more });
const wrongs = (more: Partial<Seen>): string => verdictOfRun(seen(more)).wrong.join('\n');

describe('a run under chaos', () => {
  it('is right where its tasks add up and each has its result once', () => assert.equal(wrongs({}), ''));

  it('is wrong where tasks are missing, results come twice or are others, whatever befell the cluster', () => {
    assert.match(wrongs({ run: runView({ succeeded: 9 }), values: valuesOf(0, 1, 2, 3, 4, 5, 6, 7, 8) }), /10 tasks/);
    assert.match(wrongs({ doubled: [4] }), /task 4 has two results/);
    assert.match(wrongs({ values: new Map([...all, [5, 6]]) }), /task 5 gave 6/);
  });

  it('is wrong where an innocent task failed', () => {
    const failures = [failureView({ task: 9, code: 'TASK_THREW' })];
    const run = runView({ state: 'failed', succeeded: 9, failed: 1, failures });
    assert.match(wrongs({ run, values: valuesOf(0, 1, 2, 3, 4, 5, 6, 7, 8) }), /task 9 was not to fail/);
  });

  it('may have a poisoned task fail of its poison, or of nodes lost more often than is forgiven, and of nothing else', () => {
    const failed = (code: string): RunView =>
      runView({ state: 'failed', succeeded: 9, failed: 1, failures: [failureView({ task: 3, code })] });
    const values = valuesOf(0, 1, 2, 4, 5, 6, 7, 8, 9);
    assert.equal(wrongs({ job: poisoned, values, run: failed('HOST_DIED') }), '');
    assert.equal(wrongs({ job: poisoned, values, run: failed('NODE_LOST') }), '');
    assert.match(wrongs({ job: poisoned, values, run: failed('NODE_LOST'), falls: 5 }), /failed of NODE_LOST/);
    assert.match(wrongs({ job: poisoned, values, run: failed('TASK_TIMED_OUT') }), /failed of TASK_TIMED_OUT/);
  });
});

describe('what is said of a run', () => {
  const at = (succeeded: number, state: RunView['state'] = 'running'): RunView => runView({ succeeded, state });

  it('may grow and end', () => {
    assert.equal(takenBack(at(2), at(2)), undefined);
    assert.equal(takenBack(at(2), at(10, 'succeeded')), undefined);
  });

  it('is never less than it was', () => {
    assert.match(takenBack(at(3), at(2))!, /had 3 succeeded, and then 2/);
    assert.match(takenBack(at(10, 'succeeded'), at(10, 'failed'))!, /was succeeded, then failed/);
  });
});

describe('the list of runs in the end', () => {
  const ended = [runView({ runId: 'a' }), runView({ runId: 'b' })];
  const told = { acknowledged: ['a', 'b'], ended, uncertain: 0 };

  it('has all that were acknowledged, as they ended', () => assert.deepEqual(verdictOfList(told, ended), []));

  it('is wrong where one is unknown, whether its end was seen or not', () => {
    assert.match(verdictOfList(told, [ended[0]!]).join(), /^b was acknowledged, and is not in the list of runs$/);
    assert.match(verdictOfList({ ...told, acknowledged: ['a', 'b', 'c'] }, ended).join(), /^c was acknowledged/);
  });

  it('is wrong where one has other counts', () => {
    const listed = [ended[0]!, runView({ runId: 'b', succeeded: 9, failed: 1 })];
    assert.match(verdictOfList(told, listed).join(), /^b ended .*10 succeeded.* listed as .*9 succeeded, 1 failed/);
  });

  it('may have as many that nobody was told of as submissions had no answer, if they add up', () => {
    const listed = [...ended, runView({ runId: 'c' })];
    assert.match(verdictOfList(told, listed).join(), /1 runs are there that nobody was told of/);
    assert.deepEqual(verdictOfList({ ...told, uncertain: 1 }, listed), []);
    const unsettled = [...ended, runView({ runId: 'c', succeeded: 8 })];
    assert.match(verdictOfList({ ...told, uncertain: 1 }, unsettled).join(), /^c, which nobody was told of, is/);
  });
});
