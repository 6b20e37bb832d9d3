/** The coordinator's program: `regatta COMMAND`. `regatta serve` is the coordinator itself. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { exitCode, interruption, reportError } from './cli/exit.ts';
import { buildProgram } from './cli/program.ts';

// Payloads lie outside V8's heap, and for every 64 MiB of them that pass it would search the whole heap: docs/adr/0008.
setFlagsFromString('--external-memory-accounted-in-global-limit');

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

// A reader that has seen enough (`| head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// These have something to clean up: at the first signal they do, at a second they give up. A coordinator ends by rules
// of its own. All others just end.
const CLEANING_UP = new Set(['run', 'race', 'demo', 'up', 'target']);
const command = process.argv[2] ?? '';
const leave = (): never => process.exit(exitCode.interrupted);
const interrupted = CLEANING_UP.has(command) ? interruption(leave) : new AbortController().signal;
if (!CLEANING_UP.has(command) && command !== 'serve') process.on('SIGINT', leave).on('SIGTERM', leave);
try {
  await buildProgram(version, interrupted).parseAsync(process.argv);
} catch (thrown) {
  process.exitCode = reportError(thrown);
}
