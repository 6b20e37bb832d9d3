// Brings what the project needs and the machine lacks: npm's packages, among them Node 24 itself.
// Plain JavaScript, for any Node from 20 on: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
export const node24 = `${root}node_modules/node/bin/node`;
const stamp = `${root}node_modules/.regatta-installed`;

/** Installs the locked packages unless exactly these are there already. Speaks on stderr: stdout may be somebody's JSON. */
export function bootstrap() {
  const wanted = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(node24)) return;
  process.stderr.write('Installing what Regatta needs (npm ci, once) ...\n');
  const windows = process.platform === 'win32';
  const npm = spawnSync(windows ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
    shell: windows,
  });
  if (npm.status !== 0)
    fail(`npm ci did not succeed (${npm.error?.message ?? `exit ${npm.status}`}); see its output above`);
  if (!existsSync(node24))
    fail('npm did not bring Node 24: allow the install script of the package "node" and run npm ci');
  writeFileSync(stamp, wanted);
}

function fail(message) {
  process.stderr.write(`regatta: ${message}\n`);
  process.exit(1);
}
