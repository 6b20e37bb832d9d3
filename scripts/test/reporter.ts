/**
 * A reporter for `node --test`, beside the one that prints. It sees every event of every file, and
 * - writes each skipped test as a line of JSON (`todo` tests run, and so are not skipped);
 * - ends a run in which nothing happens any more: Node gives each test its time, but waits for ever for a file that
 *   has run its tests and left a timer or a socket open. On SIGINT it says which file that is, and fails.
 */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { root } from '../tools.ts';
import type { Skip } from './skips.ts';

const SILENCE_MS_MAX = Number(process.env.REGATTA_TEST_SILENCE_MS_MAX ?? 600_000);

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const silence = setTimeout(endTheRun, SILENCE_MS_MAX).unref();
  for await (const event of events) {
    silence.refresh();
    const skip = skipIn(event);
    if (skip !== undefined) yield `${JSON.stringify(skip)}\n`;
  }
  clearTimeout(silence);
}

function skipIn(event: TestEvent): Skip | undefined {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { name, file, skip } = event.data;
  if (skip === undefined || skip === false) return undefined;
  return { name, file: file ? relative(root, file) : '?', reason: typeof skip === 'string' ? skip : '' };
}

function endTheRun(): void {
  process.stderr.write(`\nNothing happened for ${SILENCE_MS_MAX} ms; a file does not end: what did it leave open?\n`);
  process.kill(process.pid, 'SIGINT');
}
