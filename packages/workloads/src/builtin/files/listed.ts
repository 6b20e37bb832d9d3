import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf, RegattaError } from '@regatta/kernel';

const FILES_MAX = 1_000_000;

/**
 * The files that are named, and those in folders that are named and in folders below them: absolute paths, by name
 * within each folder. A link that is named is followed; those found in folders are left out.
 * @param paths with commas between them
 * @throws RegattaError CANNOT_READ or NO_FILES, in one line
 */
export function filesBelow(paths: string): string[] {
  const files: string[] = [];
  for (const path of paths.split(',').map((text) => text.trim())) if (path !== '') add(files, resolve(path), true);
  if (files.length === 0)
    throw new RegattaError('NO_FILES', `file-digest: there is no file in ${paths}; give another path`);
  return files;
}

function add(files: string[], path: string, isNamed: boolean): void {
  const stats = reading(path, () => (isNamed ? statSync(path) : lstatSync(path, { throwIfNoEntry: false })));
  if (stats?.isFile()) files.push(path);
  if (files.length > FILES_MAX) {
    throw new RegattaError('NO_FILES', `file-digest: more than ${FILES_MAX} files; give a path with fewer`);
  }
  if (stats?.isDirectory()) {
    const names = reading(path, () => readdirSync(path));
    for (const name of names.sort()) add(files, join(path, name), false);
  }
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const why = messageOf(thrown).split(', ')[0];
    throw new RegattaError('CANNOT_READ', `file-digest: cannot read ${path}: ${why}; give another path`);
  }
}
