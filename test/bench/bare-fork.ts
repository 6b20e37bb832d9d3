/**
 * What two processes can do with nothing in between: no coordinator, no agent, no chunks. Each does every other task
 * and sends its results here, in batches over Node's own IPC. Nobody counts, times or retries tasks, and a process that
 * dies takes its share with it. With `--child` this file is one of the processes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findWorkload } from '@regatta/workloads';

interface Order {
  readonly workload: string;
  readonly params: object;
  /** Tasks first, first + step, ... below `tasks`. */
  readonly first: number;
  readonly step: number;
  readonly tasks: number;
  /** Results in a message. */
  readonly batch: number;
}

if (process.argv.includes('--child')) process.on('message', obey);

async function obey({ workload, params, first, step, tasks, batch }: Order): Promise<void> {
  const { run } = findWorkload(workload)!;
  const { signal } = new AbortController();
  let results: unknown[] = [];
  for (let task = first; task < tasks; task += step) {
    results.push(await run(params, { task, attempt: 1, signal, shared: undefined, input: undefined }));
    if (results.length < batch) continue;
    await tell(results);
    results = [];
  }
  if (results.length > 0) await tell(results);
}

/** Waits only where the pipe is full: results that nobody takes would pile up here. */
const tell = (results: readonly unknown[]): Promise<void> =>
  new Promise((resolve) => {
    if (process.send!(results, () => resolve())) resolve();
  });

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

  /** Wall time in ms from the order to the last result. @param batch results in a message; all at once by default */
  async time(workload: string, params: object, tasks: number, batch = Number.POSITIVE_INFINITY): Promise<number> {
    const startedAt = performance.now();
    const step = this.#children.length;
    const done = this.#children.map((child, first) => {
      const answered = countResults(child, Math.ceil((tasks - first) / step));
      child.send({ workload, params, first, step, tasks, batch } satisfies Order);
      return answered;
    });
    await Promise.all(done);
    return performance.now() - startedAt;
  }

  end(): void {
    for (const child of this.#children) child.kill();
  }
}

/** @throws where the process ends before it has sent so many results */
function countResults(child: ChildProcess, tasks: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = tasks;
    const onExit = (): void => reject(new Error(`a bare process ended with ${left} of ${tasks} tasks undone`));
    const onResults = (results: unknown): void => {
      left -= (results as unknown[]).length;
      if (left > 0) return;
      child.off('message', onResults).off('exit', onExit);
      resolve();
    };
    child.on('message', onResults).once('exit', onExit);
  });
}
