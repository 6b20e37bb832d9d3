/** `npm run bench [NAME…] [--json]`: figures as ratios measured in one run. Exit code 1 where a goal is missed. */
import { parseArgs } from 'node:util';
import { messageOf } from '@regatta/kernel';
import { table } from '../../services/coordinator/src/cli/render/table.ts';
import { connections } from './connections.ts';
import { efficiency } from './efficiency.ts';
import { failover } from './failover.ts';
import type { Bench, Figure } from './figure.ts';
import { images } from './images.ts';
import { journal } from './journal.ts';
import { latency } from './latency.ts';
import { metrics } from './metrics.ts';
import { noop } from './noop.ts';
import { digits, ratioText } from './numbers.ts';
import { payload } from './payload.ts';
import { queue } from './queue.ts';
import { requests } from './requests.ts';
import { scheduler } from './scheduler.ts';
import { start } from './start.ts';

const benches: Readonly<Record<string, Bench>> = {
  efficiency,
  scheduler,
  noop,
  latency,
  payload,
  start,
  connections,
  requests,
  queue,
  journal,
  failover,
  metrics,
  images,
};

// By way of exit(), so that what benches have started is ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const { values, positionals } = readArguments();
const unknown = positionals.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  process.stderr.write(`bench: no bench ${unknown}; there are: ${Object.keys(benches).join(', ')}\n`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const name of positionals.length > 0 ? positionals : Object.keys(benches))
  figures.push(...(await benches[name]!()));
if (values.json) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
else process.stdout.write(text(figures));
process.exitCode = figures.every(({ ok }) => ok) ? 0 : 1;

function text(rows: readonly Figure[]): string {
  return table(
    [
      { head: 'figure', cell: (f) => f.name },
      { head: 'value', cell: (f) => `${digits(f.value)} ${f.unit}`, align: 'right' },
      { head: 'ratio', cell: (f) => ratioText(f.ratio), align: 'right' },
      { head: 'goal', cell: (f) => (f.goal === null ? '' : `≥ ${ratioText(f.goal)}`), align: 'right' },
      { head: '', cell: (f) => (f.goal === null ? '' : f.ok ? 'ok' : 'MISSED') },
      { head: 'against', cell: (f) => f.against },
    ],
    rows,
  );
}

function readArguments() {
  try {
    return parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
  } catch (thrown) {
    process.stderr.write(`bench: ${messageOf(thrown)}; usage: npm run bench -- [NAME...] [--json]\n`);
    process.exit(2);
  }
}
