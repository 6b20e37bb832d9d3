/** The coordinator's program: `regatta COMMAND`. `regatta serve` is the coordinator itself. */
import { readFileSync } from 'node:fs';
import { exitCode, interruption, reportError } from './cli/exit.ts';
import { buildProgram } from './cli/program.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// A reader that has seen enough (`| head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const serving = process.argv[2] === 'serve';
// A coordinator ends by its own rules; commands clean up at the first signal and give up at the second.
const interrupted = serving ? new AbortController().signal : interruption(() => process.exit(exitCode.interrupted));
try {
  await buildProgram(version, interrupted).parseAsync(process.argv);
} catch (thrown) {
  process.exitCode = reportError(thrown);
}
