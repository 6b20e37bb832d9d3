/**
 * Where this process's control groups are: the folders whose files say what it may use.
 *
 * Linux has two generations, and hybrid machines mount both; containers see them through a namespace, through a bind
 * mount of their own group, or as the host does. One rule covers all of them: begin at the folder that
 * /proc/self/cgroup names, below the mount point that /proc/self/mountinfo names, and walk up to that mount point.
 *
 * - C1: a folder that cannot be read counts for nothing. So a path that does not exist below the mount (a host's path
 *   seen in a container) falls back to the mount's own folder, which there is the container's group.
 * - C2: nothing here throws: whatever cannot be understood is as good as absent.
 */

/** The text of a file, or undefined where it cannot be had. */
export type ReadFile = (path: string) => string | undefined;

export type Controller = 'cpu' | 'memory';

/** One folder of a control group. */
export interface Group {
  readonly version: 1 | 2;
  readonly path: string;
}

interface Mount {
  readonly version: 1 | 2;
  /** Which folder of the hierarchy is mounted. */
  readonly root: string;
  readonly mountPoint: string;
}

/** The groups that bound this process's use of `controller`: its own first, then each that holds it. */
export function groupsOf(controller: Controller, readFile: ReadFile): Group[] {
  const membership = readFile('/proc/self/cgroup') ?? '';
  const mounts = mountsOf(controller, readFile('/proc/self/mountinfo') ?? '');
  const groups: Group[] = [];
  for (const version of [1, 2] as const) {
    const own = ownPath(version, controller, membership);
    if (own === undefined) continue;
    for (const mount of bestMounts(mounts, version, own)) {
      for (const path of foldersUp(mount, own)) groups.push({ version, path });
    }
  }
  return groups;
}

/** A whole, not negative number as the kernel writes it; undefined for "max", -1 and anything malformed. */
export function readCount(text: string | undefined): number | undefined {
  const digits = text?.trim() ?? '';
  return /^\d+$/.test(digits) ? Number(digits) : undefined;
}

/** The value of `key` in a file of "key value" lines, such as cpu.stat. */
export function readField(text: string | undefined, key: string): number | undefined {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(`${key} `));
  return readCount(line?.slice(key.length));
}

/** @param membership /proc/self/cgroup: lines `4:memory:/a/b` (v1) and `0::/a/b` (v2) */
function ownPath(version: 1 | 2, controller: Controller, membership: string): string | undefined {
  for (const line of membership.split('\n')) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const ours = version === 2 ? hierarchy === '0' && controllers === '' : controllers?.split(',').includes(controller);
    if (ours) return path;
  }
  return undefined;
}

/** @param mountinfo /proc/self/mountinfo, of which fields 4 and 5 and those past the lone hyphen count; see proc(5) */
function mountsOf(controller: Controller, mountinfo: string): Mount[] {
  // Keyed by place: of mounts on one place only the last can be seen, and the others would be counted twice.
  const visible = new Map<string, Mount | undefined>();
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, mountPoint] = before.split(' ');
    if (root === undefined || mountPoint === undefined) continue;
    const version = versionOf(controller, after);
    const mount = version && { version, root: unescaped(root), mountPoint: unescaped(mountPoint) };
    visible.set(mountPoint, mount);
  }
  return [...visible.values()].filter((mount) => mount !== undefined);
}

/** @param kind "type source options" of a mount */
function versionOf(controller: Controller, kind: string): 1 | 2 | undefined {
  const [type, , options] = kind.split(' ');
  if (type === 'cgroup2') return 2;
  return type === 'cgroup' && options?.split(',').includes(controller) ? 1 : undefined;
}

/**
 * The mounts in which the process's own path can be found; where there are none, all of them, by C1.
 * A host may mount another container's group too, and that one's limits are not ours.
 */
function bestMounts(mounts: readonly Mount[], version: 1 | 2, own: string): Mount[] {
  const candidates = mounts.filter((mount) => mount.version === version);
  const holding = candidates.filter((mount) => below(mount.root, own) !== undefined);
  return holding.length > 0 ? holding : candidates;
}

function foldersUp(mount: Mount, own: string): string[] {
  const names = (below(mount.root, own) ?? '').split('/').filter((name) => name !== '');
  // A process outside its namespace's root has a path like /../other: nothing under this mount leads there.
  if (names.includes('..')) names.length = 0;
  const base = mount.mountPoint === '/' ? '' : mount.mountPoint;
  return names.map((_, depth) => [base, ...names.slice(0, names.length - depth)].join('/')).concat(mount.mountPoint);
}

/** What is left of `path` under `root`; undefined where it is not under it. */
function below(root: string, path: string): string | undefined {
  if (root === '/') return path;
  if (path === root) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}

/** The kernel writes blanks and backslashes in mount points as \040 and so on. */
const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
