/** A host process of a test's own, without an agent between them. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decodeValue, unpack } from '@regatta/workloads';
import type { FromHost, HostNews, HostOrder, HostRun, LateFailure } from '../messages.ts';

const HOST_MAIN = fileURLToPath(new URL('../host-main.ts', import.meta.url));

export class HostProcess {
  readonly news: HostNews[] = [];
  readonly late: LateFailure[] = [];
  readonly #child: ChildProcess;
  #heard = Promise.withResolvers<void>();

  constructor(threads: number, concurrency: number) {
    this.#child = fork(HOST_MAIN, [String(threads), String(concurrency)], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    this.#child.on('message', (message: FromHost) => {
      if (message.kind === 'news') this.news.push(...message.news);
      else if (message.kind === 'late') this.late.push(message.late);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
  }

  order(...orders: HostOrder[]): void {
    this.#child.send(orders);
  }

  open(runId: string, workload: string, params: HostRun['params'], over: Partial<HostRun> = {}): void {
    this.order({ kind: 'open', run: { runId, workload, params, concurrency: 1, taskTimeoutMs: 0, ...over } });
  }

  chunk(attemptId: number, runId: string, from: number, to: number, inputs: Uint8Array = new Uint8Array(0)): HostOrder {
    return { kind: 'chunk', chunk: { attemptId, runId, from, to, attempt: 1, inputs } };
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    for (const giveUpAt = AbortSignal.timeout(15_000); !condition(); ) {
      const gaveUp = once(giveUpAt, 'abort').then(() => assert.fail(`waited in vain until ${what}`));
      await Promise.race([this.#heard.promise, gaveUp]);
    }
  }

  ended = (...attempts: number[]): Promise<void> =>
    this.until(() => attempts.every((id) => this.endOf(id) !== 'open'), `attempts ${attempts} ended`);

  of = (attemptId: number): HostNews[] => this.news.filter((news) => news.attemptId === attemptId);

  endOf(attemptId: number): string {
    const end = this.of(attemptId).at(-1)?.end;
    return end?.kind === 'lost' ? `lost: ${end.why}` : (end?.kind ?? 'open');
  }

  /** Of an attempt's tasks, in the order that they were told; failed ones show as 'none'. */
  values(attemptId: number): unknown[] {
    const entries = this.of(attemptId).flatMap(({ results }) => unpack(results));
    return entries.map((entry) => (entry.byteLength === 0 ? 'none' : decodeValue(entry)));
  }

  failures(attemptId: number): [task: number, code: string, message: string][] {
    return this.of(attemptId).flatMap(({ failures }) => failures.map((f) => [f.task, f.code, f.message] as never));
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
