/**
 * Makes what is generated: proto/gen from proto/regatta, with buf and ts-proto, and grafana/dashboards from grafana.
 *   scripts/generate.ts          writes it
 *   scripts/generate.ts --check  only says whether what is committed is what would be made
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyTree, differencesBetween, readTree } from './generate/tree.ts';
import { root, tool, toolEnvironment } from './tools.ts';

interface Generated {
  /** Where it is committed, from the root; nothing else is in there. */
  readonly folder: string;
  readonly source: string;
  /** @param folder what is made is put there, under `made` */
  readonly command: (folder: string) => readonly [program: string, ...args: string[]];
  readonly made: string;
  /** Where the command runs, from the root. */
  readonly at: string;
}

const ALL: readonly Generated[] = [
  {
    folder: 'proto/gen',
    source: 'proto/regatta',
    command: (folder) => [tool('buf'), 'generate', '--output', folder],
    made: 'gen',
    at: 'proto',
  },
  {
    folder: 'grafana/dashboards',
    source: 'grafana',
    command: (folder) => [process.execPath, 'grafana/write.ts', join(folder, 'boards')],
    made: 'boards',
    at: '.',
  },
];

/** The generated files, by their paths under the folder that they belong to. */
function generate({ source, command, made, at }: Generated): Map<string, Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'regatta-generate-'));
  try {
    const [program, ...args] = command(folder);
    const maker = spawnSync(program, args, {
      cwd: join(root, at),
      env: toolEnvironment(),
      stdio: ['ignore', process.stderr, process.stderr],
    });
    if (maker.status !== 0) throw new Error(`from ${source}: ${maker.error?.message ?? `exit ${maker.status}`}`);
    return readTree(join(folder, made));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const checks = process.argv.includes('--check');
for (const generated of ALL) {
  const { folder, source } = generated;
  const made = generate(generated);
  const committed = join(root, folder);
  if (checks) {
    const differences = differencesBetween(made, readTree(committed));
    for (const difference of differences) console.error(`${folder}/${difference}`);
    if (differences.length > 0) {
      console.error(`${folder} is not what ${source} makes: npm run generate, and commit it`);
      process.exitCode = 1;
    }
  } else {
    const written = applyTree(made, committed);
    for (const path of written) console.error(`${folder}/${path}`);
    console.error(`${folder}: ${made.size} generated files, ${written.length} changed`);
  }
}
