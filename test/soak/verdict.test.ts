import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailureView, RunView } from '../../services/coordinator/src/cli/views.ts';
import { Chance } from '../integration/hostile.ts';
import { type Job, jobOf } from './job.ts';
import { type Circumstances, verdictOf } from './verdict.ts';

const TASKS = 4;
const quiet: Circumstances = {
  values: new Map([0, 1, 2, 3].map((task) => [task, task])),
  doubled: [],
  hostKills: 0,
  agentFaults: 0,
};
const without = (...gone: number[]) => new Map([...quiet.values].filter(([task]) => !gone.includes(task)));

const job = (more: Partial<Job> = {}): Job =>
  jobOf(new Chance(1), {
    kind: 'trial',
    workload: 'noop',
    inputs: {},
    isRight: (task, value) => value === task,
    ...more,
  });

const run = (more: Partial<RunView> = {}): RunView =>
  ({
    runId: 'run-1',
    spec: { tasks: TASKS, model: 'serial', retries: 0, deadlineMs: 0 },
    state: 'succeeded',
    reason: '',
    succeeded: TASKS,
    failed: 0,
    cancelled: 0,
    inFlight: 0,
    pending: 0,
    failures: [],
    accounting: { lostAttempts: 0, fenced: 0 },
    ...more,
  }) as unknown as RunView;

const failure = (task: number, code: string, more: Partial<FailureView> = {}): FailureView => ({
  task,
  node: 'node-1',
  attempt: 1,
  code,
  message: 'a message',
  stack: '',
  exit: null,
  signal: null,
  rssBytes: 0,
  stderrTail: '',
  ...more,
});

const failedRun = (...failures: FailureView[]): RunView =>
  run({ state: 'failed', succeeded: TASKS - failures.length, failed: failures.length, failures });

const wrongs = (of: Job, view: RunView, circumstances: Partial<Circumstances> = {}): string =>
  verdictOf(of, view, { ...quiet, ...circumstances }).wrong.join('\n');

describe('a run that ended as it must', () => {
  it('has nothing wrong about it', () => assert.equal(wrongs(job(), run()), ''));

  it('may have failed where it was poisoned', () => {
    const poisoned = job({ poisoned: new Set([2]), codes: ['HOST_DIED'] });
    assert.equal(wrongs(poisoned, failedRun(failure(2, 'HOST_DIED')), { values: without(2) }), '');
  });

  it('may have failed by chance, where its seed says so', () => {
    const byChance = job({ mayFail: (task) => task === 1, mustFail: (task) => task === 1 });
    const failed = failedRun(failure(1, 'TASK_THREW', { message: 'made to fail: task 1, attempt 1' }));
    assert.equal(wrongs(byChance, failed, { values: without(1) }), '');
  });
});

describe('a run is found wrong', () => {
  const poisoned = job({ poisoned: new Set([2]), codes: ['HOST_DIED'] });
  const cancelledRun = (reason: string) => run({ state: 'cancelled', succeeded: 3, cancelled: 1, reason });
  const cases: readonly (readonly [string, RegExp, Job, RunView, Partial<Circumstances>])[] = [
    ['whose tasks do not add up', /4 tasks became 3/, job(), run({ succeeded: 3 }), { values: without(3) }],
    ['that goes on', /1 in flight/, job(), run({ inFlight: 1 }), {}],
    ['whose state is not that of its tasks', /is failed, not succeeded/, job(), run({ state: 'failed' }), {}],
    ['with a wrong result', /task 2 gave 7/, job(), run(), { values: new Map([...quiet.values, [2, 7]]) }],
    ['with a result missing', /results of 3 tasks; 4 succeeded/, job(), run(), { values: without(1) }],
    ['with a result twice', /task 3 has two results/, job(), run(), { doubled: [3] }],
    ['with results that are not intact', /1 of 4 results/, job(), run(), { combined: { intact: 3 } }],
    [
      'where an innocent task failed',
      /task 1 was not to fail.*TASK_THREW/,
      job(),
      failedRun(failure(1, 'TASK_THREW')),
      { values: without(1) },
    ],
    ['where poison did no harm', /poisoned task 2 did not fail/, poisoned, run(), {}],
    [
      'where it failed of something else',
      /task 2 failed as it was to, but of THREAD_DIED/,
      poisoned,
      failedRun(failure(2, 'THREAD_DIED')),
      { values: without(2) },
    ],
    [
      'where a task that had to fail by chance did not',
      /task 0 was to fail/,
      job({ mustFail: (t) => t === 0 }),
      run(),
      {},
    ],
    ['that nobody cancelled', /cancelled by nobody: x/, job(), cancelledRun('x'), { values: without(3) }],
    [
      'that took long to end',
      /ended 5001 ms after/,
      job({ ending: { kind: 'cancel', afterMs: 1 } }),
      cancelledRun('x'),
      { values: without(3), endingMs: 5_001 },
    ],
    [
      'that passed its deadline and does not say so',
      /its reason is "x"/,
      job({ ending: { kind: 'deadline' } }),
      cancelledRun('x'),
      { values: without(3) },
    ],
  ];
  for (const [name, pattern, of, view, circumstances] of cases) {
    it(name, () => assert.match(wrongs(of, view, circumstances), pattern));
  }
});

describe('a failure that the soak may have caused', () => {
  const died = failedRun(failure(1, 'HOST_DIED', { signal: 'SIGKILL' }));
  const lost = failedRun(failure(1, 'NODE_LOST'));
  const verdict = (view: RunView, circumstances: Partial<Circumstances>) =>
    verdictOf(job(), view, { ...quiet, values: without(1), ...circumstances });

  it('is allowed, and counted, where a host was killed within the life of its run', () => {
    const { wrong, allowed } = verdict(died, { hostKills: 1 });
    assert.deepEqual([wrong.length, allowed.length], [0, 1]);
  });

  it('is wrong where none was, or where no kill can be its cause', () => {
    assert.equal(verdict(died, {}).wrong.length, 1);
    assert.equal(verdict(failedRun(failure(1, 'HOST_DIED', { signal: 'SIGSEGV' })), { hostKills: 1 }).wrong.length, 1);
    assert.equal(verdict(failedRun(failure(1, 'TASK_TIMED_OUT')), { hostKills: 1, agentFaults: 9 }).wrong.length, 1);
  });

  it('is allowed of a lost node only after more losses than the scheduler forgives', () => {
    assert.equal(verdict(lost, { agentFaults: 5 }).wrong.length, 1);
    assert.equal(verdict(lost, { agentFaults: 6 }).wrong.length, 0);
  });
});
