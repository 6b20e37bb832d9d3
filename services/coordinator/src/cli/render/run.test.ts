import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureText, runObject, runSummary } from './run.ts';
import { failureView, runView } from './testing/views.ts';

const late = [{ task: 3, message: 'a timer threw', stack: 'Error: a timer threw\n    at x' }];
/** The last lines of a summary: what is said only where there is something to say. */
const asides = (...run: Parameters<typeof runView>): string[] =>
  runSummary(runView(...run))
    .split('\n')
    .slice(2);

describe('the summary of a run', () => {
  it('says in two lines how it went where nothing was odd', () => {
    assert.equal(
      runSummary(runView()),
      [
        'run-1: succeeded, 10 tasks in 500 ms (20.0/s)',
        '  processes on n1 at 2×1×1, over gRPC; CPU 1500 ms, 4 chunks, 2.0 KiB of results',
      ].join('\n'),
    );
  });

  it('says how chunks reached nodes, and where that was for want of NATS', () => {
    const { spec } = runView();
    const way = (transport: 'grpc' | 'nats', wanted: boolean): string | undefined =>
      /, (over .*?);/.exec(runSummary(runView({ spec: { ...spec, transport } }), wanted))?.[1];
    assert.equal(way('nats', false), 'over NATS');
    assert.equal(way('grpc', true), 'over gRPC, as there is no NATS');
  });

  it('says what its targets were spared, where it was to', () => {
    const { spec } = runView();
    const third = (over: object): string[] => asides({ spec: { ...spec, ...over } });
    assert.deepEqual(third({ maxInFlightPerTarget: 3 }), ['  per target at most 3 in flight']);
    assert.deepEqual(third({ maxRatePerTarget: 0.5 }), ['  per target at most 0.5/s']);
    const both = { maxInFlightPerTarget: 1000, maxRatePerTarget: 20 };
    assert.deepEqual(third(both), ['  per target at most 1,000 in flight and 20/s']);
  });

  it('says what was odd, a line each', () => {
    const costs = { lostAttempts: 1, hostRestarts: 2, taskRetries: 3, throttledMs: 40 };
    assert.deepEqual(asides({}, costs), [
      '  1 attempt lost and tried again',
      '  2 host processes lost over its tasks',
      '  3 tasks tried again',
      '  its nodes were throttled for 40 ms',
    ]);
    assert.deepEqual(asides({}, { hostRestarts: 1 }), ['  1 host process lost over its tasks']);
  });

  it('warns of what failed after its task had succeeded, and shows the first', () => {
    assert.deepEqual(asides({ late }, { lateFailures: 2 }), [
      "  warning: 2 failures came after the task's result was sent; the first, of task 3: a timer threw",
    ]);
    assert.deepEqual(asides({}, { lateFailures: 1 }), ["  warning: 1 failure came after the task's result was sent"]);
  });

  it('names the slowest task, with its CPU time where it is known', () => {
    const slowest = { task: 9, node: 'n1', wallMs: 80, cpuMs: 60 };
    assert.deepEqual(asides({}, { slowest }), ['  slowest: task 9 on n1, 80 ms (CPU 60 ms)']);
    assert.deepEqual(asides({}, { slowest: { ...slowest, cpuMs: null } }), ['  slowest: task 9 on n1, 80 ms']);
  });

  it('of a run that did not succeed says why, and how far it came', () => {
    const over = { state: 'cancelled', reason: 'deadline of 600 ms', succeeded: 4, failed: 1, cancelled: 5 } as const;
    const [head] = runSummary(runView(over)).split('\n');
    const how = 'cancelled (deadline of 600 ms): 4 succeeded, 1 failed, 5 cancelled';
    assert.equal(head, `run-1: ${how}, 10 tasks in 500 ms (10.0/s)`);
  });

  it('of a run that no node took says so', () => {
    assert.match(runSummary(runView({}, { nodes: [] })), /processes on no node, over gRPC;/);
  });
});

describe('the failures of a run', () => {
  const textOf = (...over: Parameters<typeof failureView>[0][]): string[] =>
    failureText(runView({ failures: over.map(failureView), failed: over.length })).split('\n');

  it('are told with where, which attempt, what and the head of the stack', () => {
    const stack = ['Error: boom', '    at a', '    at b', '    at c', '    at d'].join('\n');
    assert.deepEqual(textOf({ attempt: 2, stack }), [
      '  task 7 on n1, attempt 2: TASK_THREW: boom',
      '    at a',
      '    at b',
      '    at c',
    ]);
  });

  it('are told five at most, with how many more there are, also of those that nobody kept', () => {
    const failures = Array.from({ length: 6 }, (_, task) => failureView({ task }));
    const lines = failureText(runView({ failures, failed: 2_000 })).split('\n');
    assert.equal(lines.length, 6);
    assert.equal(lines[5], '  and 1,995 more failures: --json lists more');
    assert.match(failureText(runView({ failures, failed: 6 })), /and 1 more failure: /);
  });

  it('show the last lines that the process said', () => {
    const stderrTail = 'one\n\ntwo\nthree\nfour\n';
    assert.deepEqual(textOf({ stderrTail }).slice(1), ['      | two', '      | three', '      | four']);
    assert.equal(textOf({ stderrTail: '\n' }).length, 1);
  });

  for (const [what, line] of [
    ['V8 gave up', 'FATAL ERROR: Reached heap limit Allocation failed'],
    ['an error was thrown', 'TypeError: x is not a function'],
    ['an error of the user’s own was thrown', 'MyOwnError: no'],
  ] as const) {
    it(`show where ${what}, and not the long trace after it`, () => {
      const trace = Array.from({ length: 30 }, (_, i) => ` ${i}: 0xaaaa node::Frame`);
      const stderrTail = ['<--- Last few GCs --->', 'Mark-Compact', line, ...trace].join('\n');
      assert.deepEqual(textOf({ stderrTail }).slice(1), [
        `      | ${line}`,
        '      |  0: 0xaaaa node::Frame',
        '      |  1: 0xaaaa node::Frame',
      ]);
    });
  }
});

describe('a run as JSON', () => {
  it('has its failures, those that came late and the hosts that were lost', () => {
    const failures = [failureView()];
    const object = runObject(runView({ failures, late, failed: 1 }, { hostRestarts: 2 }), { value: 42 });
    assert.deepEqual(object, {
      runId: 'run-1',
      state: 'succeeded',
      tasks: 10,
      succeeded: 10,
      failed: 1,
      cancelled: 0,
      wallMs: 500,
      result: 42,
      failures,
      late,
      hostRestarts: 2,
    });
  });

  it('in a list says what it ran and when, and has no result', () => {
    const object = runObject(runView({ reason: 'enough' })) as Record<string, unknown>;
    const { workload, model, submittedAt, reason } = object;
    assert.deepEqual(
      [workload, model, submittedAt, reason],
      ['noop', 'processes', '1970-01-01T00:00:00.000Z', 'enough'],
    );
    assert.ok(!('result' in object));
  });
});
