/**
 * What is left of the work once it is over: memory in use, timers, handles, threads and processes, against the same
 * before it.
 *
 * - Q1: an agent has two handles for each of its host processes, a pipe and a channel; they are taken off.
 * - Q2: memory is what is in use after a full collection (inside.ts), less what the coordinator keeps for people. So
 *   the bound is a small one, and holds for a soak of seconds as for one of hours.
 * - Q3: of host processes only the number is looked at: hardly one of them lives as long as the mix.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../bench/numbers.ts';
import { childrenOf } from '../integration/cluster.ts';
import { insideOf } from './inside.ts';
import { HOSTS_READY, type NodeName, type Site } from './site.ts';
import type { Tally } from './tally.ts';

const HANDLES_PER_HOST = 2;
/** Connections that are just being closed, a file that has just been opened. */
const HANDLES_MORE_MAX = 4;
/** Node starts the four threads of its pool when it first reads a file. */
const THREADS_MORE_MAX = 5;
const LOOK_MS = 250;

/**
 * Idle host processes of a node: those kept ready, once the others have been idle for long enough; right after the work,
 * as many as make its runs share (services/node-agent/src/limits.ts, hostsPerCoreMax), and two of each other make.
 */
export const hostsIdleMax = { later: HOSTS_READY, atOnce: 4 * HOSTS_READY + 4 };

/** Of code that ran for the first time, caches, and runs that are remembered. */
const USED_MORE_MIB_MAX = 12;
/** A lease, a reader that has just gone. */
const TIMERS_MORE_MAX = 3;

export interface Holding {
  readonly name: string;
  readonly pid: number;
  /** But those for host processes (Q1). */
  readonly handles: number;
  readonly threads: number;
  readonly hosts: number;
  /** Q2. */
  readonly usedMiB: number;
  readonly timers: number;
}

type Outside = Omit<Holding, 'usedMiB' | 'timers'>;

export async function holdings(site: Site): Promise<Holding[]> {
  const holdings: Holding[] = [];
  // Handles first: an inspector is one.
  for (const outside of outsides(site)) {
    const { usedMiB, timers } = await insideOf(outside.pid);
    const kept = outside.name === 'coordinator' ? (await site.client.status()).keptMemoryBytes / MIB : 0;
    holdings.push({ ...outside, usedMiB: usedMiB - kept, timers });
  }
  return holdings;
}

function outsides(site: Site): Outside[] {
  const agents = site.agents().map(([name, pid]) => outsideOf(name, pid));
  return [outsideOf('coordinator', site.coordinator), ...agents];
}

function outsideOf(name: NodeName | 'coordinator', pid: number): Outside {
  const hosts = childrenOf(pid).length;
  return { name, pid, handles: handlesOf(pid) - HANDLES_PER_HOST * hosts, threads: threadsOf(pid), hosts };
}

/** Waits until nothing is left over, or the time is up: then it is a reason to fail. @param hostsMax idle ones a node may have */
export async function nothingIsLeft(
  site: Site,
  before: readonly Holding[],
  { hostsMax, withinMs, tally }: { hostsMax: number; withinMs: number; tally: Tally },
): Promise<Holding[]> {
  const from = performance.now();
  while (performance.now() - from < withinMs && leftOver(before, outsides(site), hostsMax).length > 0) {
    await sleep(LOOK_MS);
  }
  const after = await holdings(site);
  const left = [...leftOver(before, after, hostsMax), ...leaked(before, after)];
  const waited = Math.round((performance.now() - from) / 1000);
  for (const what of left) tally.wrong(`${what}, ${waited} s after the last run`);
  return after;
}

/** Pure. */
export function leftOver(before: readonly Outside[], after: readonly Outside[], hostsMax: number): string[] {
  return after.flatMap((now) => {
    const then = before.find(({ name }) => name === now.name)!;
    const left: string[] = [];
    if (now.handles > then.handles + HANDLES_MORE_MAX)
      left.push(`${now.name} has ${now.handles} handles, ${then.handles} before`);
    if (now.threads > then.threads + THREADS_MORE_MAX)
      left.push(`${now.name} has ${now.threads} threads, ${then.threads} before`);
    if (now.hosts > hostsMax) left.push(`${now.name} has ${now.hosts} host processes, at most ${hostsMax} when idle`);
    return left;
  });
}

/** Pure. */
export function leaked(before: readonly Holding[], after: readonly Holding[]): string[] {
  return after.flatMap((now) => {
    const then = before.find(({ name }) => name === now.name)!;
    const left: string[] = [];
    const grownMiB = now.usedMiB - then.usedMiB;
    if (grownMiB > USED_MORE_MIB_MAX)
      left.push(
        `${now.name} has ${Math.round(grownMiB)} MiB more in use than before; ${USED_MORE_MIB_MAX} are allowed`,
      );
    if (now.timers > then.timers + TIMERS_MORE_MAX)
      left.push(`${now.name} has ${now.timers} timers, ${then.timers} before`);
    return left;
  });
}

function handlesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

function threadsOf(pid: number): number {
  try {
    return Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
