import type { Shape } from './events.ts';
import { limits } from './limits.ts';

/** The places of a shape where a task can be executing. */
export const lanesOf = (shape: Shape): number => shape.processes * shape.threads * shape.concurrency;

/**
 * A shape with its zeros filled in for a node that may use `share` cores (at least 1).
 * Where both are open, threads come in pairs: two threads share one process's memory and start-up.
 */
export function resolveShape(wanted: Shape, share: number): Shape {
  const bothOpen = wanted.processes === 0 && wanted.threads === 0;
  const threads = bothOpen ? Math.min(2, share) : wanted.threads || Math.max(1, Math.floor(share / wanted.processes));
  const processes = wanted.processes || Math.max(1, Math.floor(share / threads));
  const concurrency = Math.max(
    1,
    Math.min(wanted.concurrency, Math.floor(limits.lanesPerNodeMax / (processes * threads))),
  );
  return { processes, threads, concurrency };
}
