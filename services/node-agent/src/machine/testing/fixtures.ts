/** Machines for tests: their files, as the kernel writes them. */
import type { ReadFile } from '../cgroup.ts';

export type Tree = Readonly<Record<string, string>>;

export const files =
  (tree: Tree): ReadFile =>
  (path) =>
    tree[path];

/** cgroup v2, the process in `path`, all of it mounted. */
export const v2 = (path: string): Tree => ({
  '/proc/self/cgroup': `0::${path}\n`,
  '/proc/self/mountinfo': '31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n',
});

/** cgroup v1, the process in `path` of every hierarchy, all of it mounted. */
export const v1 = (path: string): Tree => ({
  '/proc/self/cgroup': `4:memory:${path}\n1:cpu:${path}\n`,
  '/proc/self/mountinfo': [
    '32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
    '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  ].join('\n'),
});
