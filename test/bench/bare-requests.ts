/**
 * What one Node process does with undici and nothing around it: so many requests, so many of them at a time, each body
 * read and hashed as the workload does it. Nobody retries, limits, times or keeps results. With `--child` this file is
 * that process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { within } from './waiting.ts';

const ANSWER_MS_MAX = 60_000;

interface Order {
  readonly base: string;
  readonly requests: number;
  readonly atOnce: number;
}

if (process.argv.includes('--child')) beChild();

function beChild(): void {
  const dispatcher = new Agent({ allowH2: false, headersTimeout: 0, bodyTimeout: 0 });
  process.on('message', (order: Order) => {
    fetchAll(order, dispatcher).then(
      () => process.send!(''),
      (thrown) => process.send!(String(thrown)),
    );
  });
}

async function fetchAll({ base, requests, atOnce }: Order, dispatcher: Agent): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < requests) await fetchOne(`${base}?n=${next++}`, dispatcher);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function fetchOne(url: string, dispatcher: Agent): Promise<string> {
  const { statusCode, body } = await request(url, { dispatcher });
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  if (statusCode !== 200) throw new Error(`${url}: HTTP status ${statusCode}`);
  return hash.digest('hex');
}

export class BareRequests {
  readonly #child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--child']);

  get pid(): number {
    return this.#child.pid!;
  }

  /** Wall time in ms from the order to the last answer. @throws where one is not a 200 */
  async time(order: Order): Promise<number> {
    const startedAt = performance.now();
    const answered = once(this.#child, 'message');
    this.#child.send(order);
    const [failure] = await within(ANSWER_MS_MAX, `${order.requests} bare requests`, answered);
    if (failure !== '') throw new Error(`the bare process: ${failure}`);
    return performance.now() - startedAt;
  }

  end(): void {
    this.#child.kill();
  }
}
