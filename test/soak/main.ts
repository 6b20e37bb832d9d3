/**
 * `npm run soak -- [--minutes M] [--seed N] [--short-runs N] [--json]`: mixed work with faults against a real cluster,
 * for M minutes and the rest after it, which takes one or two more. Exit code 1, and a line for each reason, where
 * memory, handles or processes leak, a run ends otherwise than it must, or nothing gets on.
 *
 * The seed fixes what users ask for and which faults fall in which order; not their coincidence, which is the machine's.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '@regatta/kernel';
import { longForm, shortRunsOf } from './forms.ts';
import { numberOption } from './number-option.ts';
import { textOf } from './report.ts';
import { soak } from './soak.ts';

const USAGE = 'usage: npm run soak -- [--minutes M] [--seed N] [--short-runs N] [--json]';
const MINUTES_DEFAULT = 5;

// By way of exit(), so that the cluster is ended.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const { minutes, seed, shortRuns, json } = readArguments();
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const report = await soak(longForm(minutes, seed, shortRuns, say));
process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(report));
process.exit(report.ok ? 0 : 1);

function readArguments(): { minutes: number; seed: number; shortRuns: number; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        'short-runs': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const minutes = numberOption('--minutes', values.minutes, MINUTES_DEFAULT, 0.2, 10_000);
    const seed = numberOption('--seed', values.seed, Date.now() % 1_000_000_000, 0, 2 ** 31);
    const shortRuns = numberOption('--short-runs', values['short-runs'], shortRunsOf(minutes), 0, 1_000_000_000);
    return { minutes, seed, shortRuns, json: values.json };
  } catch (thrown) {
    process.stderr.write(`soak: ${messageOf(thrown)}; ${USAGE}\n`);
    process.exit(2);
  }
}
