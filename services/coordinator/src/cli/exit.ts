/** How commands end: exit codes, and what is said to whom. */
import { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';

export const exitCode = {
  succeeded: 0,
  taskFailed: 1,
  badUsage: 2,
  unreachable: 3,
  interrupted: 130,
} as const;

const UNREACHABLE_CODES = new Set([
  'UNREACHABLE',
  'NATS_AWAY',
  'NO_CLUSTER',
  'START_FAILED',
  'CANNOT_LISTEN',
  'TOKEN_REFUSED',
  'TARGET_PORT',
  'NO_STATE_DIR',
]);

/** One line for what the person can mend, a stack for what is our own fault. @returns the exit code */
export function reportError(thrown: unknown): number {
  if (thrown instanceof Interrupted) {
    process.stderr.write('regatta: interrupted\n');
    return exitCode.interrupted;
  }
  if (thrown instanceof RegattaError) {
    process.stderr.write(`regatta: ${thrown.message}\n`);
    return UNREACHABLE_CODES.has(thrown.code) ? exitCode.unreachable : exitCode.badUsage;
  }
  process.stderr.write(`regatta: this is a bug: ${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
  return exitCode.taskFailed;
}

/** Thrown out of what was going on when the person wants it to end. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/**
 * Fires at the first Ctrl-C (or the like); the command then cleans up. At the second, impatient one, `onSecond` is
 * called.
 */
export function interruption(onSecond: () => void): AbortSignal {
  const interrupted = new AbortController();
  let firstAt = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!interrupted.signal.aborted) {
        firstAt = performance.now();
        interrupted.abort(new Interrupted());
        return;
      }
      // One Ctrl-C may come twice: from the terminal, and passed on by whoever started this process.
      if (performance.now() - firstAt > limits.signalEchoMs) onSecond();
    });
  }
  return interrupted.signal;
}
