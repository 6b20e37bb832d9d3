/**
 * What a lane writes down of its tasks and sends as news: results, failures, times. Called several times for each task, of
 * which there may be a million a second: what it makes, it makes once for each news.
 */
import { threadId } from 'node:worker_threads';
import { decodeInPlace, Packer } from '@regatta/workloads';
import { failureOf, shortMessage, shortStack, TaskTimeout, tooLarge } from './failure.ts';
import type { LaneWork } from './lanes.ts';
import { limits } from './limits.ts';
import type { HostFailure } from './messages.ts';
import type { Thread } from './thread.ts';

/** What happened to the tasks since the last news. */
export class Journal {
  readonly #work: LaneWork;
  readonly #thread: Thread;
  readonly #alone: boolean;
  readonly #results = new Packer();
  #from: number;
  #failures: HostFailure[] = [];
  #failureCharacters = 0;
  #wallUs: number[] = [];
  #cpuUs: number[] = [];
  #serializeMs = 0;
  #sentAt = performance.now();
  #waitMs: number;
  #beganAt = 0;
  #beganCpuUs = 0;
  #waits = false;
  /** A task is under way. */
  #working = false;
  /** What failed of what it had begun. */
  #broken: { readonly by: unknown } | undefined;
  #blockedMsBefore = 0;

  constructor(work: LaneWork, thread: Thread) {
    this.#work = work;
    this.#thread = thread;
    this.#alone = work.run.concurrency === 1;
    this.#from = work.chunk.from;
    this.#waitMs = this.#sentAt - work.receivedAt;
  }

  get lastFailed(): boolean {
    return this.#failures.at(-1)?.task === this.#from + this.#results.count - 1;
  }

  /** How long whom it talked to asked to be left alone, where the last task failed for that; otherwise 0. */
  get lastRetryAfterMs(): number {
    return (this.lastFailed && this.#failures.at(-1)?.retryAfterMs) || 0;
  }

  sendIfAny(): void {
    if (this.#results.count > 0) this.send('open');
  }

  isDue(now: number): boolean {
    if (this.#results.count === 0) return false;
    // With a time limit at once: large results must be gone before the next task is announced.
    const timed = this.#work.run.taskTimeoutMs > 0;
    const bytes = this.#results.bytes + this.#failureCharacters;
    return timed || now - this.#sentAt >= limits.newsMs || bytes >= limits.newsBytes;
  }

  decode(input: Uint8Array): unknown {
    const startedAt = performance.now();
    const value = decodeInPlace(input);
    this.#serializeMs += performance.now() - startedAt;
    return value;
  }

  begin(): void {
    this.#waits = false;
    this.#working = true;
    this.#broken = undefined;
    this.#beganAt = performance.now();
    if (this.#alone) this.#beganCpuUs = this.#thread.cpuUsAt(this.#beganAt);
  }

  /** The task has given the thread back; from now on it is others that may block it. */
  nowWaits(): void {
    this.#thread.blockedMs += performance.now() - this.#beganAt;
    this.#blockedMsBefore = this.#thread.blockedMs;
    this.#waits = true;
  }

  /** The task's own time: without that in which other lanes of its thread began tasks and did not let it go on. */
  elapsedMs(): number {
    const byOthers = this.#waits ? this.#thread.blockedMs - this.#blockedMsBefore : 0;
    return performance.now() - this.#beganAt - byOthers;
  }

  succeed(task: number, value: unknown): void {
    const doneAt = this.#time();
    const { taskTimeoutMs } = this.#work.run;
    if (this.#broken !== undefined) return this.#note(task, 'TASK_FAILED_LATE', this.#broken.by);
    if (taskTimeoutMs > 0 && this.elapsedMs() > taskTimeoutMs) {
      this.#note(task, 'TASK_TIMED_OUT', new Error(`took longer than ${taskTimeoutMs} ms`));
      return;
    }
    try {
      const bytes = this.#results.add(value);
      if (bytes > limits.resultBytesMax) {
        this.#results.dropLast();
        this.#note(task, 'RESULT_TOO_LARGE', tooLarge(bytes));
      }
    } catch (thrown) {
      this.#note(task, 'RESULT_NOT_CLONEABLE', thrown);
    }
    // Most results are numbers: nothing that a clock would see.
    if (typeof value === 'object') this.#serializeMs += performance.now() - doneAt;
  }

  fail(task: number, thrown: unknown, code = 'TASK_THREW'): void {
    this.#time();
    this.#note(task, thrown instanceof TaskTimeout ? thrown.code : code, thrown);
  }

  /** The task's result is taken back where it is still here; where it is gone it stands, and the failure is told. */
  failLate(task: number, thrown: unknown): void {
    const index = task - this.#from;
    // It is still at work: it will not have succeeded.
    if (index === this.#results.count && this.#working) {
      this.#broken ??= { by: thrown };
      return;
    }
    if (index < 0 || index >= this.#results.count) {
      const { runId } = this.#work.run;
      return this.#work.outlet.emitLate({ runId, task, message: shortMessage(thrown), stack: shortStack(thrown) });
    }
    if (this.#failures.some((failure) => failure.task === task)) return;
    this.#results.blank(index);
    this.#failures.push(this.#failure(task, 'TASK_FAILED_LATE', thrown));
    this.#failures.sort((a, b) => a.task - b.task);
  }

  /** @param dropLast leave out the task that was just written down */
  send(kind: 'open' | 'completed' | 'stopped', dropLast = false): void {
    if (dropLast) this.#dropLast();
    const from = this.#from;
    this.#from += this.#results.count;
    const now = performance.now();
    const cpuUs = this.#thread.readCpuUs(now);
    this.#work.outlet.emit({
      attemptId: this.#work.chunk.attemptId,
      thread: threadId,
      from,
      to: this.#from,
      results: this.#results.finish(),
      failures: this.#failures,
      wallUs: Uint32Array.from(this.#wallUs),
      cpuUs: Uint32Array.from(this.#cpuUs),
      cpuMs: this.#thread.takeUnreportedCpuUs(cpuUs) / 1000,
      laneMs: now - this.#sentAt,
      waitMs: this.#waitMs,
      serializeMs: this.#serializeMs,
      end: { kind },
    });
    this.#sentAt = now;
    this.#waitMs = 0;
    this.#failures = [];
    this.#failureCharacters = 0;
    this.#wallUs = [];
    this.#cpuUs = [];
    this.#serializeMs = 0;
  }

  #time(): number {
    this.#working = false;
    const now = performance.now();
    const wallMs = now - this.#beganAt;
    if (!this.#waits) this.#thread.blockedMs += wallMs;
    this.#wallUs.push(Math.min(0xffff_ffff, Math.round(wallMs * 1000)));
    if (this.#alone) this.#cpuUs.push(Math.max(0, Math.round(this.#thread.cpuUsAt(now) - this.#beganCpuUs)));
    return now;
  }

  #note(task: number, code: string, thrown: unknown): void {
    this.#results.addNone();
    this.#failures.push(this.#failure(task, code, thrown));
  }

  #failure(task: number, code: string, thrown: unknown): HostFailure {
    const failure = failureOf(task, code, thrown);
    this.#failureCharacters += failure.message.length + failure.stack.length;
    return failure;
  }

  #dropLast(): void {
    this.#results.dropLast();
    this.#failures.pop();
    this.#wallUs.pop();
    if (this.#alone) this.#cpuUs.pop();
  }
}
