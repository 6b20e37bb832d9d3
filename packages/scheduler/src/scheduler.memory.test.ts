import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from './limits.ts';
import { Scheduler } from './scheduler.ts';
import { assignsIn, type Report } from './testing/model-cluster.ts';

const TASKS = 10_000_000;
const LANES = 8;
const TASKS_PER_MS = 100;
const LATE_MAX = 5;

/** What the scheduler holds of the run, counted, and the most that it ever was. */
class Holdings {
  readonly #scheduler: Scheduler;
  most = { ranges: 0, chunks: 0, attempts: 0 };

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  count(): void {
    const { runs, nodes } = this.#scheduler;
    for (const { committed, retries, suspects } of runs.values()) {
      this.most.ranges = Math.max(this.most.ranges, committed.ranges.length);
      this.most.chunks = Math.max(this.most.chunks, retries.size + suspects.size);
    }
    for (const { attempts } of nodes.values()) this.most.attempts = Math.max(this.most.attempts, attempts.size);
  }
}

describe('a run of ten million tasks', () => {
  it('is held as ranges and chunks, though some are reported late and some fail (I6)', () => {
    const scheduler = new Scheduler();
    const holdings = new Holdings(scheduler);
    const held: ReturnType<typeof assignsIn> = [];
    const late: typeof held = [];
    let now = 0;
    let succeeded = 0;
    let steps = 0;
    const step = (event: Parameters<Scheduler['step']>[0]): void => {
      const effects = scheduler.step(event, now);
      held.push(...assignsIn(effects));
      for (const effect of effects) if (effect.kind === 'runEnded') succeeded = effect.counts.succeeded;
      holdings.count();
      steps++;
    };
    const complete = ({ nodeId, incarnation, attemptId, from, to, attempt }: (typeof held)[number]): void => {
      const failed = attempt === 1 && attemptId % 100 === 0 ? [from, to - 1] : [];
      const cost = { busyMs: (to - from) / TASKS_PER_MS, bytes: to - from };
      const report = { nodeId, incarnation, attemptId, from, to, failed, ...cost } satisfies Partial<Report>;
      step({ kind: 'attemptReported', ...report, end: { kind: 'completed' } });
    };

    step({ kind: 'nodeJoined', node: { id: 'a', incarnation: 1, machine: 'm', cores: LANES, workloads: ['sums'] } });
    const shape = { processes: 0, threads: 1, concurrency: 1 };
    const plan = { runId: 'r1', workload: 'sums', tasks: TASKS, shape, nodes: 0, chunk: 0, retries: 1, deadlineMs: 0 };
    step({ kind: 'runSubmitted', plan: { ...plan, policy: 'awf' } });
    while (scheduler.runs.size > 0) {
      const next = held.shift() ?? late.shift();
      if (next !== undefined && next.attemptId % 50 === 7 && !late.includes(next) && held.length > 0) late.push(next);
      else if (next !== undefined) complete(next);
      if (late.length > LATE_MAX) complete(late.shift()!);
      now += 10;
      if (steps % 10 === 0 || next === undefined) step({ kind: 'tick' });
    }

    assert.equal(succeeded, TASKS);
    assert.ok(steps < 10_000, `${steps} steps`);
    const { ranges, chunks, attempts } = holdings.most;
    assert.ok(ranges <= 30, `${ranges} ranges`);
    assert.ok(chunks <= 20, `${chunks} chunks to try again`);
    assert.ok(attempts <= LANES * (1 + limits.prefetchPerLaneMax), `${attempts} attempts`);
  });
});
