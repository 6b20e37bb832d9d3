/** What the death of a host, or of one of its threads, means for the attempts that were worked on there. */
import type { Held } from './held.ts';
import type { Host, HostDeath } from './host.ts';
import type { Loss, OutcomeEnd } from './work.ts';

/** For the attempt that the thread worked on. @param why in a line */
export function threadDied({ rssBytes }: Host, why: string): OutcomeEnd {
  const message = `the thread that worked on it died: ${why}`;
  const cause = { exit: undefined, signal: '', rssBytes, stderrTail: '', culprit: undefined };
  return { kind: 'lost', loss: { code: 'THREAD_DIED', message, ...cause } };
}

/** What a host's death means for one of the attempts it held. */
export function causeOf(held: Held, host: Host, death: HostDeath): OutcomeEnd {
  const { exit, signal, rssBytes, stderrTail } = death;
  const facts = { exit: exit ?? undefined, signal: signal ?? '', rssBytes, stderrTail };
  if (held.timedOut) {
    const message = `took longer than ${held.run.order.taskTimeoutMs} ms; its host process was killed`;
    return { kind: 'lost', loss: { code: 'TASK_TIMED_OUT', message, ...facts, culprit: held.reported } };
  }
  // Killed for another attempt's sake: what is left of this one is as good as new.
  // Nor is what it was never able to begin with to blame.
  const innocent =
    held.killAt < Number.POSITIVE_INFINITY ||
    host.killedFor === 'order' ||
    (!host.wasReady && host.killedFor !== 'memory');
  if (innocent) return { kind: 'stopped' };
  if (host.killedFor === 'memory') {
    const message = `its host process was killed for using ${mebibytes(rssBytes)}; the limit is --host-memory`;
    return { kind: 'lost', loss: { code: 'MEMORY_EXCEEDED', message, ...facts, culprit: undefined } };
  }
  const how = signal === null ? `exited with code ${exit}` : `was killed by ${signal}`;
  const message = `the host process ${how} while working on it`;
  const loss: Loss = { code: 'HOST_DIED', message, ...facts, culprit: undefined };
  return { kind: 'lost', loss };
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
