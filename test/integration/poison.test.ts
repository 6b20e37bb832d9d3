/** One task of twenty does harm. It fails with its cause, or does not fail; the others know nothing of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster, eventually } from './cluster.ts';
import { Direct } from './direct.ts';
import type { FailureJson, RunJson, StatusJson } from './wire.ts';

const COUNT = 20;
const POISONED = 7;
/** Little, so that it is soon used up; enough for a host's own needs and those of its threads. */
const HOST_MEMORY = '256MiB';
const RESTARTS_MAX = 5;

const shapes: Readonly<Record<string, readonly string[]>> = {
  processes: ['--model', 'processes'],
  threads: ['--model', 'threads', '--threads', '2'],
  async: ['--model', 'async', '--concurrency', '4'],
  hybrid: ['--model', 'hybrid', '--processes', '2', '--threads', '2', '--concurrency', '2'],
};

type Cause = Partial<Pick<FailureJson, 'code' | 'exit' | 'signal'>>;

interface Poison {
  readonly how: string;
  readonly options?: readonly string[];
  /** By shape; a shape that is not named is not tried. */
  readonly causes: Readonly<Record<string, Cause>>;
}

/** Under hybrid as well only where threads and processes differ: the rest of it is the same code. */
const everywhere = (cause: Cause) => ({ processes: cause, threads: cause, async: cause });
const hybridToo = (cause: Cause) => ({ ...everywhere(cause), hybrid: cause });
const died = (how: Cause): Cause => ({ code: 'HOST_DIED', exit: null, signal: null, ...how });
const threadDied: Cause = { code: 'THREAD_DIED', exit: null, signal: null };
const exited = died({ exit: 7 });
const outOfHeap = died({ signal: 'SIGABRT' });
const aborted = died({ signal: 'SIGABRT' });
const threw: Cause = { code: 'TASK_THREW', exit: null, signal: null };
const exceeded: Cause = { code: 'MEMORY_EXCEEDED', exit: null, signal: 'SIGKILL' };
const timeout = ['--timeout', '500ms'];

const poisons: readonly Poison[] = [
  // In a thread `exit` ends the thread alone, and Node refuses `abort`.
  { how: 'exit', causes: { processes: exited, async: exited, threads: threadDied, hybrid: threadDied } },
  { how: 'abort', causes: { processes: aborted, async: aborted, threads: threw } },
  { how: 'kill', causes: hybridToo(died({ signal: 'SIGKILL' })) },
  { how: 'heap', causes: { processes: outOfHeap, async: outOfHeap, threads: threadDied } },
  { how: 'buffers', causes: hybridToo(exceeded) },
  { how: 'spin', options: timeout, causes: hybridToo({ code: 'TASK_TIMED_OUT', exit: null, signal: 'SIGKILL' }) },
  { how: 'wait', options: timeout, causes: everywhere({ code: 'TASK_TIMED_OUT', exit: null, signal: null }) },
  { how: 'reject-soon', causes: everywhere({ code: 'TASK_FAILED_LATE' }) },
  { how: 'large', causes: everywhere({ code: 'RESULT_TOO_LARGE' }) },
];

const neighbours = new Map(
  Array.from({ length: COUNT }, (_, task) => [task, task] as const).filter(([task]) => task !== POISONED),
);

describe('a task that does harm', () => {
  let cluster: Cluster;
  let direct: Direct;
  let agents: StatusJson['nodes'];
  before(async () => {
    cluster = await Cluster.start({ agentArgs: ['--host-memory', HOST_MEMORY] });
    direct = new Direct(cluster.address);
    agents = (await cluster.json<StatusJson>(['status'])).nodes;
  });
  after(async () => {
    direct.close();
    await cluster.stop();
  });

  const poisoned = (how: string, shape: string, { options = [] }: Partial<Poison> = {}) =>
    cluster.regatta([
      ...['run', 'faulty', '--set', `how=${how}`, '--set', `at=${POISONED}`, '--set', `count=${COUNT}`],
      ...[...options, ...shapes[shape]!, '--json'],
    ]);

  for (const poison of poisons) {
    for (const [shape, cause] of Object.entries(poison.causes)) {
      it(`by ${poison.how} fails alone, with its cause, under ${shape}`, async () => {
        const { code, stdout, stderr } = await poisoned(poison.how, shape, poison);
        assert.equal(code, 1, stderr);
        const run = JSON.parse(stdout) as RunJson;
        assert.deepEqual([run.state, run.succeeded, run.failed, run.cancelled], ['failed', COUNT - 1, 1, 0], stdout);
        assert.deepEqual(
          run.failures.map(({ task }) => task),
          [POISONED],
        );
        const [failure] = run.failures;
        assert.deepEqual({ ...failure, ...cause }, failure);
        const hostDied = failure!.signal !== null || failure!.exit !== null;
        if (hostDied) assert.ok(failure!.rssBytes > 2 ** 20, `${failure!.rssBytes} bytes`);
        if (failure!.code === 'MEMORY_EXCEEDED') assert.ok(failure!.rssBytes > 256 * 2 ** 20);
        if (poison.how === 'heap') assert.match(failure!.stderrTail + failure!.message, /heap out of memory/);
        assert.ok(run.hostRestarts >= (hostDied ? 1 : 0), 'a host died, and none was counted');
        assert.ok(run.hostRestarts <= RESTARTS_MAX, `${run.hostRestarts} hosts were lost`);
        assert.deepEqual(await direct.values(run.runId), neighbours);
      });
    }
  }

  for (const how of ['flood', 'flood-stderr']) {
    for (const shape of ['processes', 'threads', 'async']) {
      it(`by ${how} disturbs nobody under ${shape}`, async () => {
        const { code, stdout, stderr } = await poisoned(how, shape);
        assert.equal(code, 0, stderr);
        const { result, hostRestarts } = JSON.parse(stdout) as RunJson;
        assert.deepEqual([result, hostRestarts], [{ tasks: COUNT, misbehaved: 1 }, 0]);
      });
    }
  }

  for (const [how, what] of [
    ['reject', /task 7 left a promise that rejects/],
    ['late-throw', /a timer of task 7 throws/],
  ] as const) {
    for (const shape of ['processes', 'threads', 'async']) {
      it(`by ${how} after its result was sent keeps it, and is named as late, under ${shape}`, async () => {
        // Alone in its chunk, its result is sent at once. Among others it may still be taken back: `reject-soon`.
        const { code, stdout, stderr } = await poisoned(how, shape, { options: ['--chunk', '1'] });
        assert.equal(code, 0, stderr);
        const { runId, result } = JSON.parse(stdout) as RunJson;
        assert.deepEqual(result, { tasks: COUNT, misbehaved: 1 });
        const late = async () => (await direct.client.run(runId)).late;
        await eventually(async () => (await late()).length > 0, 5_000, 'the late failure to be told');
        const shown = await cluster.json<RunJson>(['show', runId]);
        assert.deepEqual(
          shown.late.map(({ task }) => task),
          [POISONED],
        );
        assert.match(shown.late[0]!.message, what);
        assert.match(shown.late[0]!.stack, /faults\.ts:\d+/);
        assert.deepEqual([shown.state, shown.failures, shown.hostRestarts], ['succeeded', [], 0]);
      });
    }
  }

  it('leaves the agents as they were: the same processes, alive', async () => {
    const { nodes } = await cluster.json<StatusJson>(['status']);
    assert.deepEqual(
      nodes.map(({ id, pid, state }) => [id, pid, state]),
      agents.map(({ id, pid }) => [id, pid, 'alive']),
    );
  });
});
