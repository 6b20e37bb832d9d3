/** Which test files a pattern means. */
import { globSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';

export interface Selection {
  /** From the root, each once, in order. */
  readonly files: readonly string[];
  readonly unmatched: readonly string[];
}

/** @param patterns files, globs, or folders, which mean all tests in them; from `root`, or absolute */
export function testFiles(patterns: readonly string[], root: string): Selection {
  const files = new Set<string>();
  const unmatched: string[] = [];
  for (const pattern of patterns) {
    const local = isAbsolute(pattern) ? relative(root, pattern) : pattern;
    const found = globSync([local, join(local, '**/*.test.ts')], { cwd: root, exclude: ['**/node_modules/**'] });
    const tests = found.filter((path) => path.endsWith('.test.ts'));
    for (const path of tests) files.add(path);
    if (tests.length === 0) unmatched.push(pattern);
  }
  return { files: [...files].sort(), unmatched };
}
