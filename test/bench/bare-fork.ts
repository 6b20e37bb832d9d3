/**
 * What two processes can do with nothing in between: no coordinator, no agent, no chunks. Each does every other task.
 * With `--child` this file is one of the processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { findWorkload } from '@regatta/workloads';

interface Order {
  readonly workload: string;
  readonly params: object;
  readonly tasks: readonly number[];
}

if (process.argv.includes('--child')) {
  process.on('message', async ({ workload, params, tasks }: Order) => {
    const { run } = findWorkload(workload)!;
    const signal = new AbortController().signal;
    const results: unknown[] = [];
    for (const task of tasks) results.push(await run(params, { task, attempt: 1, signal, shared: undefined }));
    process.send!(results);
  });
}

export class BareForks {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Started and warm before anything is measured, as the hosts of a node are. */
  static start(processes: number): BareForks {
    const file = fileURLToPath(import.meta.url);
    const start = (): ChildProcess => fork(file, ['--child'], { serialization: 'advanced' });
    return new BareForks(Array.from({ length: processes }, start));
  }

  /** Wall time in ms from the order to the last result. */
  async time(workload: string, params: object, tasks: number): Promise<number> {
    const startedAt = performance.now();
    const all = Array.from({ length: tasks }, (_, i) => i);
    const done = this.#children.map((child, i) => {
      const answered = once(child, 'message');
      child.send({ workload, params, tasks: all.filter((task) => task % this.#children.length === i) });
      return answered;
    });
    await Promise.all(done);
    return performance.now() - startedAt;
  }

  end(): void {
    for (const child of this.#children) child.kill();
  }
}
