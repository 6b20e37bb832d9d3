/**
 * Makes proto/gen from proto/regatta with buf and ts-proto.
 *   scripts/generate.ts          writes it
 *   scripts/generate.ts --check  only says whether what is committed is what would be made
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyTree, differencesBetween, readTree } from './generate/tree.ts';
import { root, tool, toolEnvironment } from './tools.ts';

const proto = join(root, 'proto');
const committed = join(proto, 'gen');

/** The generated files, by their paths under proto/gen. */
function generate(): Map<string, Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'regatta-generate-'));
  try {
    const buf = spawnSync(tool('buf'), ['generate', '--output', folder], {
      cwd: proto,
      env: toolEnvironment(),
      stdio: ['ignore', process.stderr, process.stderr],
    });
    if (buf.status !== 0) throw new Error(`buf generate: ${buf.error?.message ?? `exit ${buf.status}`}`);
    return readTree(join(folder, 'gen'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const made = generate();
if (process.argv.includes('--check')) {
  const differences = differencesBetween(made, readTree(committed));
  for (const difference of differences) console.error(`proto/gen/${difference}`);
  if (differences.length > 0)
    console.error('proto/gen is not what proto/regatta makes: npm run generate, and commit it');
  process.exitCode = differences.length > 0 ? 1 : 0;
} else {
  const written = applyTree(made, committed);
  for (const path of written) console.error(`proto/gen/${path}`);
  console.error(`${made.size} generated files, ${written.length} changed`);
}
