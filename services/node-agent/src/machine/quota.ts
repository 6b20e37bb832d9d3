/** How much CPU the control groups allow this process, and how long they have held it back. */
import { type Group, groupsOf, type ReadFile, readCount, readField } from './cgroup.ts';

export interface CpuQuota {
  /** Cores' worth of CPU time: 0.5 is half of one core. */
  readonly cores: number;
  /** The folder of the group that sets it. */
  readonly group: string;
}

/** The least CPU quota on the way from the process's own group to the root; undefined where there is none. */
export function readCpuQuota(readFile: ReadFile): CpuQuota | undefined {
  let least: CpuQuota | undefined;
  for (const group of groupsOf('cpu', readFile)) {
    const cores = quotaOf(group, readFile);
    // Of equal ones the outer holds: it is the one that siblings share.
    if (cores !== undefined && (least === undefined || cores <= least.cores)) least = { cores, group: group.path };
  }
  return least;
}

/**
 * Milliseconds for which quotas have held back this process's groups, since those groups were made.
 * Summed over CPUs and over nested groups, so it can grow faster than the clock: any growth at all is what counts.
 */
export function readThrottledMs(readFile: ReadFile): number {
  let total = 0;
  for (const { version, path } of groupsOf('cpu', readFile)) {
    const stat = readFile(`${path}/cpu.stat`);
    const v1Ns = version === 1 ? readField(stat, 'throttled_time') : undefined;
    const v2Us = version === 2 ? readField(stat, 'throttled_usec') : undefined;
    total += (v1Ns ?? 0) / 1e6 + (v2Us ?? 0) / 1e3;
  }
  return total;
}

function quotaOf({ version, path }: Group, readFile: ReadFile): number | undefined {
  const [quota, period] =
    version === 2
      ? (readFile(`${path}/cpu.max`) ?? '').trim().split(' ')
      : [readFile(`${path}/cpu.cfs_quota_us`), readFile(`${path}/cpu.cfs_period_us`)];
  const quotaUs = readCount(quota);
  const periodUs = readCount(period);
  return quotaUs && periodUs ? quotaUs / periodUs : undefined;
}
