/** An attempt that this node holds: whether it waits or is worked on, and what is known of it so far. Times in ms. */
import type { HostNews } from '../worker/messages.ts';
import type { Host } from './host.ts';
import type { OpenRun } from './open-run.ts';
import type { Assignment, OutcomeEnd, Timing } from './work.ts';

export interface Held {
  readonly assignment: Assignment;
  readonly run: OpenRun;
  readonly receivedAt: number;
  host: Host | undefined;
  startedAt: number;
  newsAt: number;
  /** Its next task waits to talk to its target, or has not said since that it began. */
  waits: boolean;
  /** What its lane spent on it so far. */
  laneMs: number;
  /** Where in its host it is worked on; undefined until it has spoken. */
  thread: number | undefined;
  reported: number;
  /** When it is killed for not stopping; infinite while it need not stop. */
  killAt: number;
  timedOut: boolean;
  /** Something of it was reported. */
  told: boolean;
}

export const heldOf = (assignment: Assignment, run: OpenRun): Held => ({
  assignment,
  run,
  receivedAt: performance.now(),
  host: undefined,
  startedAt: 0,
  newsAt: 0,
  waits: false,
  laneMs: 0,
  thread: undefined,
  reported: assignment.from,
  killAt: Number.POSITIVE_INFINITY,
  timedOut: false,
  told: false,
});

/** What is told of the time that this news took: what of it is new since the last. */
export function timingOf(
  { host, receivedAt, startedAt, told }: Held,
  { results, wallUs, cpuUs, cpuMs, laneMs, serializeMs, waitMs }: HostNews,
  end: OutcomeEnd,
  stallMs: number,
  throttledMs: number,
): Timing {
  return {
    wallUs,
    cpuUs,
    cpuMs,
    laneMs,
    waitMs: told || host === undefined ? 0 : startedAt - receivedAt + waitMs,
    serializeMs,
    residentMs: end.kind === 'open' ? 0 : performance.now() - receivedAt,
    bytes: results.byteLength,
    host: host?.pid ?? 0,
    hostRssBytes: host?.rssBytes ?? 0,
    stallMs,
    throttledMs,
  };
}
