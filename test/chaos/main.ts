/**
 * `npm run chaos -- [--runs N] [--seed S] [--json]`: N runs of mixed work while agents, coordinators and the nats-server
 * are killed, paused and started again. Exit code 1, and a line for each reason, where a run is lost, ends otherwise than
 * it must, gives a result twice or another than the serial one, or does not end.
 *
 * The seed fixes what users ask for and which faults fall when; not their coincidence, which is the machine's.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '@regatta/kernel';
import { numberOption } from '../soak/number-option.ts';
import { chaos } from './chaos.ts';
import { longForm } from './forms.ts';
import { textOf } from './report.ts';

const USAGE = 'usage: npm run chaos -- [--runs N] [--seed S] [--json]';
const RUNS_DEFAULT = 20;
/** A coordinator lists a thousand. */
const RUNS_MAX = 900;

// By way of exit(), so that the cluster is ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const { runs, seed, json } = readArguments();
const startedAt = performance.now();
const say = (line: string): void =>
  void process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
const options = longForm(runs, seed, say);
say(options.replay);
const report = await chaos(options);
process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
process.exit(report.ok ? 0 : 1);

function readArguments(): { runs: number; seed: number; json: boolean } {
  try {
    const { values } = parseArgs({
      options: { runs: { type: 'string' }, seed: { type: 'string' }, json: { type: 'boolean', default: false } },
    });
    const runs = numberOption('--runs', values.runs, RUNS_DEFAULT, 1, RUNS_MAX);
    const seed = numberOption('--seed', values.seed, Date.now() % 1_000_000_000, 0, 2 ** 31);
    return { runs: Math.round(runs), seed: Math.round(seed), json: values.json };
  } catch (thrown) {
    process.stderr.write(`chaos: ${messageOf(thrown)}; ${USAGE}\n`);
    process.exit(2);
  }
}
