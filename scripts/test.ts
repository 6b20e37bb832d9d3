/**
 * Runs the tests under Node's own runner, and ends as it ends.
 *   scripts/test.ts                      all of them
 *   scripts/test.ts PATTERN...           only these files, folders or globs
 *   scripts/test.ts --OPTION[=VALUE]...  options of `node --test` besides, such as --test-name-pattern=journal
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testFiles } from './test/select.ts';
import { readSkips, skipNotice } from './test/skips.ts';
import { root, toolEnvironment } from './tools.ts';

const ALL = [
  'packages/**/*.test.ts',
  'proto/*.test.ts',
  'services/**/*.test.ts',
  'scripts/**/*.test.ts',
  'test/**/*.test.ts',
];
const TEST_TIMEOUT_MS = 120_000;

const options = process.argv.slice(2).filter((word) => word.startsWith('-'));
const patterns = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const { files, unmatched } = testFiles(patterns.length > 0 ? patterns : ALL, root);
// Of our own patterns one may well match nothing yet; one that a person typed is a mistake.
const mistaken = patterns.length > 0 ? unmatched : [];
for (const pattern of mistaken) console.error(`no test file matches ${pattern}`);
if (mistaken.length > 0 || files.length === 0) process.exit(1);

const folder = mkdtempSync(join(tmpdir(), 'regatta-test-'));
const skipFile = join(folder, 'skips.jsonl');
const runner = spawn(
  process.execPath,
  [
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts', 'test', 'reporter.ts')}`,
    `--test-reporter-destination=${skipFile}`,
    ...options,
    ...files,
  ],
  { cwd: root, env: toolEnvironment(), stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => runner.kill(signal));
runner.on('exit', (code) => {
  process.stdout.write(skipNotice(readSkips(readFileSync(skipFile, { encoding: 'utf8', flag: 'a+' }))));
  rmSync(folder, { recursive: true });
  process.exitCode = code ?? 1;
});
