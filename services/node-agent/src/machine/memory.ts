/** How much memory this process may use. */
import { groupsOf, type ReadFile, readCount } from './cgroup.ts';

// v1 writes "no limit" as 2^63 less one page; no machine has half of that.
const NO_LIMIT_BYTES = 2 ** 62;

/** The least memory limit on the way from the process's own group to the root, in bytes; undefined where there is none. */
export function readMemoryLimit(readFile: ReadFile): number | undefined {
  let least: number | undefined;
  for (const { version, path } of groupsOf('memory', readFile)) {
    const bytes = readCount(readFile(`${path}/${version === 2 ? 'memory.max' : 'memory.limit_in_bytes'}`));
    if (bytes && bytes < NO_LIMIT_BYTES) least = Math.min(bytes, least ?? bytes);
  }
  return least;
}
