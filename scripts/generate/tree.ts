/** Folders of generated files, held as a map from path to content. */
import { globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Tree = ReadonlyMap<string, Buffer>;

/** Every file under `folder`, by its path there; nothing where there is no such folder. */
export function readTree(folder: string): Map<string, Buffer> {
  const files = globSync('**/*', { cwd: folder }).filter((path) => statSync(join(folder, path)).isFile());
  return new Map(files.sort().map((path) => [path.replaceAll('\\', '/'), readFileSync(join(folder, path))]));
}

/** One line for each file that is not byte for byte the same on both sides. */
export function differencesBetween(made: Tree, committed: Tree): string[] {
  const differences: string[] = [];
  for (const [path, content] of made) {
    const held = committed.get(path);
    if (held === undefined) differences.push(`${path}: missing`);
    else if (!content.equals(held)) differences.push(`${path}: out of date`);
  }
  for (const path of committed.keys()) {
    if (!made.has(path)) differences.push(`${path}: nothing makes it any more`);
  }
  return differences;
}

/**
 * Makes `folder` equal to `made` and returns the paths that it wrote or removed.
 * Files that are right already are not touched: watchers and other programs may be reading them.
 */
export function applyTree(made: Tree, folder: string): string[] {
  const held = readTree(folder);
  const changed: string[] = [];
  for (const [path, content] of made) {
    if (held.get(path)?.equals(content)) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
    changed.push(path);
  }
  for (const path of held.keys()) {
    if (made.has(path)) continue;
    rmSync(join(folder, path));
    changed.push(path);
  }
  return changed;
}
