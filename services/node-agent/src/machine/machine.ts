/**
 * What this node may use of its machine, and which machine that is.
 *
 * Does not own: how many host processes or threads to run there (the shape decides), nor any sampling over time.
 *
 * - M1: every real read of the machine is in `thisMachine`; the rest computes from what it is given.
 * - M2: two nodes have one id exactly where they draw on the same cores: nodes side by side on a machine share its id,
 *   a container that its own quota limits is a machine of its own, two nodes in that container share it.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import type { ReadFile } from './cgroup.ts';
import { readMemoryLimit } from './memory.ts';
import { type CpuQuota, readCpuQuota, readThrottledMs as throttledMs } from './quota.ts';

export interface Machine {
  /** Equal for nodes that share cores (M2). Changes at a reboot. */
  readonly id: string;
  readonly hostname: string;
  /** CPUs that the operating system lets this process run on. */
  readonly osCores: number;
  /** Cores' worth of CPU time it may use of them, by quota: at most `osCores`. */
  readonly quotaCores: number;
  /** Whether a quota allows less than `osCores`. */
  readonly quotaLimited: boolean;
  readonly memoryBytes: number;
  /** Whole cores to plan with: at least 1. */
  readonly cores: number;
}

/** What `readMachine` asks of the machine, so that tests can be one. */
export interface MachineSource {
  readonly readFile: ReadFile;
  /** The inode number of a folder; undefined where it cannot be had. */
  readonly inodeOf: (path: string) => number | undefined;
  readonly hostname: string;
  readonly osCores: number;
  readonly totalMemoryBytes: number;
}

export function readMachine(source: MachineSource = thisMachine()): Machine {
  const { hostname, osCores, readFile } = source;
  const quota = readCpuQuota(readFile);
  const limiting = quota !== undefined && quota.cores < osCores ? quota : undefined;
  const quotaCores = limiting?.cores ?? osCores;
  return {
    id: identify(source, limiting),
    hostname,
    osCores,
    quotaCores,
    quotaLimited: limiting !== undefined,
    memoryBytes: Math.min(source.totalMemoryBytes, readMemoryLimit(readFile) ?? source.totalMemoryBytes),
    cores: Math.max(1, Math.floor(quotaCores)),
  };
}

/** Milliseconds of throttling so far; see quota.ts. A difference above 0 means that a quota slowed the node down. */
export const readThrottledMs = (): number => throttledMs(readReal);

function identify({ readFile, inodeOf, hostname }: MachineSource, limiting: CpuQuota | undefined): string {
  const parts = [readFile('/proc/sys/kernel/random/boot_id')?.trim() || hostname];
  if (limiting !== undefined) {
    // By inode and not by path: in its own namespace every container's group is called "/".
    const inode = inodeOf(limiting.group);
    parts.push(inode === undefined ? `${hostname}:${limiting.group}` : String(inode));
  }
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}

function thisMachine(): MachineSource {
  return {
    readFile: readReal,
    inodeOf: (path) => orUndefined(() => statSync(path).ino),
    hostname: hostname(),
    osCores: availableParallelism(),
    totalMemoryBytes: totalmem(),
  };
}

function readReal(path: string): string | undefined {
  return orUndefined(() => readFileSync(path, 'utf8'));
}

/** Not Linux, not mounted, not allowed: then there is nothing to know. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
