/** An executor with host processes of its own, and all that it told. */
import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostLimits } from '../../limits.ts';
import type { LateFailure } from '../../worker/messages.ts';
import { Executor } from '../executor.ts';
import type { Loss, Outcome, RunOrder } from '../work.ts';

const ROOMY: HostLimits = { tasksMax: 1_000_000, memoryBytesMax: 2 ** 30 };

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const giveUpAt = performance.now() + 15_000; !condition(); await sleep(5)) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
  }
}

/** Processes that this one has started. */
export const children = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Hosts start as the test says, until all mocks are restored and this is called without a way. */
export function startHostsAs(fork?: typeof childProcess.fork): void {
  if (fork !== undefined) mock.method(childProcess, 'fork', fork);
  syncBuiltinESMExports();
}

export class ExecutorBench {
  readonly outcomes: Outcome[] = [];
  readonly late: LateFailure[] = [];
  /** Why no host can be started. */
  readonly unable: string[] = [];
  readonly executor: Executor;

  constructor({ cores = 1, prestart = 1, hostLimits = {} as Partial<HostLimits> } = {}) {
    this.executor = new Executor({
      cores,
      prestart,
      hostLimits: { ...ROOMY, ...hostLimits },
      report: (outcome) => void this.outcomes.push(outcome),
      reportLate: (late) => void this.late.push(late),
      onUnable: (why) => void this.unable.push(why),
      takeAgentStall: () => 0,
      throttledMs: () => 0,
    });
  }

  open(runId: string, workload: string, params: RunOrder['params'], over: Partial<RunOrder> = {}): void {
    const shape = { processes: 1, threads: 1, concurrency: 1 };
    this.executor.open({ runId, workload, params, shape, taskTimeoutMs: 0, pulled: false, ...over });
  }

  assign(runId: string, attemptId: number, from = attemptId, to = from + 1, alone = false): void {
    this.executor.assign({ attemptId, runId, from, to, attempt: 1, alone, inputs: new Uint8Array(0) });
  }

  get ends(): Outcome[] {
    return this.outcomes.filter(({ end }) => end.kind !== 'open');
  }

  /** How each attempt ended, in the order of their numbers. */
  get kinds(): string[] {
    return this.ends.map(({ attemptId, end }) => `${attemptId} ${end.kind}`).sort();
  }

  ended = (...attempts: number[]): Promise<void> =>
    until(() => attempts.every((id) => this.ends.some((end) => end.attemptId === id)), `attempts ${attempts} ended`);

  lossOf(attemptId: number): Loss {
    const end = this.ends.find((outcome) => outcome.attemptId === attemptId)?.end;
    return end?.kind === 'lost' ? end.loss : assert.fail(`attempt ${attemptId} was not lost`);
  }

  hostOf = (attemptId: number): number => this.ends.find((end) => end.attemptId === attemptId)!.timing.host;

  async shutDown(): Promise<void> {
    this.executor.shutDown();
    await until(() => children().length === 0, 'no host process is left');
  }
}
