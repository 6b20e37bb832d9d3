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
  const pairs = bothOpen ? Math.min(2, share) : wanted.threads;
  // Each has what the ones before it leave of the limit.
  const threads = atMost(limits.lanesPerNodeMax, pairs || Math.floor(share / wanted.processes));
  const processes = atMost(limits.lanesPerNodeMax / threads, wanted.processes || Math.floor(share / threads));
  const concurrency = atMost(limits.lanesPerNodeMax / (threads * processes), wanted.concurrency);
  return { processes, threads, concurrency };
}

const atMost = (bound: number, wanted: number): number => Math.max(1, Math.min(Math.floor(bound), wanted));
