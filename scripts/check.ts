/** All that can be said of the code without running it. Every check runs, whatever the others say. */
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Check, runChecks } from './check/run.ts';
import { root, tool, toolEnvironment } from './tools.ts';

const script = (name: string) => [process.execPath, join(root, 'scripts', name)];

/** A package with a tsconfig of its own is held to less than the rest: the scheduler must not see Node. */
const strictPackages = globSync('packages/*/tsconfig.json', { cwd: root }).map(dirname).sort();

const CHECKS: readonly Check[] = [
  { name: 'types', command: [tool('tsc'), '-p', '.'] },
  ...strictPackages.map((path) => ({ name: `types of ${path} alone`, command: [tool('tsc'), '-p', path] })),
  { name: 'lint and format', command: [tool('biome'), 'ci', '--colors=off', '.'] },
  { name: 'dead code', command: [tool('knip'), '--no-progress', '--no-config-hints'] },
  { name: 'import rules', command: script('import-rules.ts') },
  { name: 'wire format', command: [tool('buf'), 'lint'], folder: join(root, 'proto') },
  { name: 'generated code', command: [...script('generate.ts'), '--check'] },
];

const results = await runChecks(CHECKS, {
  atOnce: 2,
  folder: root,
  environment: toolEnvironment(),
  print: (text) => process.stdout.write(text),
});
process.exitCode = results.every((result) => result.passed) ? 0 : 1;
