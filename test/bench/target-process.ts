/** The local target server in a process of its own, so that what it takes is not in the figures. `--child` is that process. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startTarget } from '@regatta/workloads/target';
import { within } from './waiting.ts';

const START_MS_MAX = 10_000;

if (process.argv.includes('--child')) await serve(Number(process.argv.at(-1)));

async function serve(waitMs: number): Promise<void> {
  const { url } = await startTarget({ latency: { kind: 'fixed', ms: waitMs } });
  process.send!(url);
  process.once('disconnect', () => process.exit());
}

export class TargetProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** @param waitMs between each request and its answer */
  static async start(waitMs: number): Promise<TargetProcess> {
    const child = fork(fileURLToPath(import.meta.url), ['--child', String(waitMs)]);
    try {
      const [url] = await within(START_MS_MAX, 'the target server', once(child, 'message'));
      return new TargetProcess(child, url);
    } catch (thrown) {
      child.kill();
      throw thrown;
    }
  }

  end(): void {
    this.#child.kill();
  }
}
