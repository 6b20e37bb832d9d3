/** Resident memory of processes, as the kernel counts it (VmRSS, proc(5)). */
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 100;

/** In bytes; 0 where the process is gone. */
export function rssOf(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The most that a group of processes had together while `work` was under way, in bytes, by the group's name. */
export async function peakDuring<Group extends string>(
  groups: Readonly<Record<Group, () => readonly number[]>>,
  work: () => Promise<void>,
): Promise<Record<Group, number>> {
  const names = Object.keys(groups) as Group[];
  const peak = Object.fromEntries(names.map((name) => [name, 0])) as Record<Group, number>;
  const sample = (): void => {
    for (const name of names) peak[name] = Math.max(peak[name], sumOf(groups[name]().map(rssOf)));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    await work();
    sample();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
