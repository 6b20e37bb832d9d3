/** CPU time of processes, as the kernel counts it: user and system, of all their threads (proc(5), stat). */
import { cpuTicksOf } from '../integration/cluster.ts';

/** USER_HZ, in which Linux tells it on every machine. */
const TICKS_PER_S = 100;

/**
 * In ms, of a group of processes together while `work` was under way. What began meanwhile counts from its beginning;
 * what ended meanwhile does not count.
 */
export async function cpuDuring(processes: () => readonly number[], work: () => Promise<void>): Promise<number> {
  const before = new Map(processes().map((pid) => [pid, cpuTicksOf(pid)]));
  await work();
  const ticks = processes().map((pid) => cpuTicksOf(pid) - (before.get(pid) ?? 0));
  return (1000 / TICKS_PER_S) * ticks.reduce((sum, more) => sum + more, 0);
}
