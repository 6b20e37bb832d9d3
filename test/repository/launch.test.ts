/** The commands on a fresh clone: real launchers in a folder of their own, with a stand-in for npm. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';

const repository = dirname(dirname(import.meta.dirname));
let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'regatta-clone-'));
  for (const part of ['launch.mjs', 'bootstrap.mjs', 'bootstrap']) {
    cpSync(join(repository, 'scripts', part), join(clone, 'scripts', part), { recursive: true });
  }
  writeFileSync(join(clone, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(clone, 'package-lock.json'), '{ "packages": { "node_modules/a": { "version": "1.0.0" } } }');
  writeFileSync(join(clone, 'show.ts'), 'const words: string[] = process.argv.slice(2); console.log(words.join());');
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

const NPM_WORKS =
  'mkdir -p node_modules/node/bin; ln -s "$NODE" node_modules/node/bin/node; cp package-lock.json node_modules/.package-lock.json';

function npmIs(script: string): void {
  mkdirSync(join(clone, 'bin'), { recursive: true });
  writeFileSync(join(clone, 'bin', 'npm'), `#!/bin/sh\necho "$@" >> npm-runs\necho npm speaks\n${script}\n`);
  chmodSync(join(clone, 'bin', 'npm'), 0o755);
}

async function launch(words: string[], folder = clone) {
  const env = { ...process.env, NODE: process.execPath, PATH: [join(clone, 'bin'), process.env.PATH].join(delimiter) };
  const child = spawn(process.execPath, [join(folder, 'scripts', 'launch.mjs'), ...words], { cwd: clone, env });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { stdout, stderr, code };
}

const npmRuns = (): string[] => readFileSync(join(clone, 'npm-runs'), 'utf8').trim().split('\n');

describe('a command on a fresh clone', () => {
  it('installs what is locked, once, and then runs', async () => {
    npmIs(NPM_WORKS);
    const first = await launch(['show.ts', 'a', 'b']);
    assert.deepEqual([first.code, first.stdout], [0, 'a,b\n']);
    assert.match(first.stderr, /Installing what Regatta needs[\s\S]*npm speaks/);
    assert.deepEqual(await launch(['show.ts', 'c']), { stdout: 'c\n', stderr: '', code: 0 });
    assert.equal(npmRuns().length, 1);
    assert.match(npmRuns()[0]!, /^install --no-save /);
  });

  it('installs once when two begin at the same time', async () => {
    npmIs(`sleep 1; ${NPM_WORKS}`);
    const both = await Promise.all([launch(['show.ts', 'a']), launch(['show.ts', 'b'])]);
    assert.deepEqual(
      both.map(({ stdout }) => stdout),
      ['a\n', 'b\n'],
    );
    assert.equal(npmRuns().length, 1);
  });

  it('installs again after the lockfile changed', async () => {
    npmIs(`rm -rf node_modules; ${NPM_WORKS}`);
    await launch(['show.ts']);
    writeFileSync(join(clone, 'package-lock.json'), '{ "packages": { "node_modules/a": { "version": "1.0.1" } } }');
    assert.equal((await launch(['show.ts'])).code, 0);
    assert.equal(npmRuns().length, 2);
  });

  it('says that the install failed, and does not run', async () => {
    npmIs('exit 7');
    const { stdout, stderr, code } = await launch(['show.ts', 'a']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /regatta: npm install failed \(exit 7\), so nothing can run; see the output above\n$/);
    assert.equal(existsSync(join(clone, '.regatta', 'install.lock')), false);
  });

  it('does not believe an npm that ends well and brings nothing', async () => {
    npmIs('exit 0');
    const { stderr, code } = await launch(['show.ts', 'a']);
    assert.equal(code, 1);
    assert.match(stderr, /packages of package-lock\.json are missing/);
  });
});

describe('the launcher', () => {
  beforeEach(() => npmIs(NPM_WORKS));

  it('ends as its program ends', async () => {
    writeFileSync(join(clone, 'end.ts'), 'process.exit(42)');
    writeFileSync(join(clone, 'kill.ts'), 'process.kill(process.pid, "SIGKILL")');
    assert.equal((await launch(['end.ts'])).code, 42);
    assert.equal((await launch(['kill.ts'])).code, 137);
  });

  it('runs its program also where the checkout is reached through a link', async () => {
    const link = `${clone}-link`;
    symlinkSync(clone, link);
    try {
      assert.equal((await launch(['show.ts', 'a'], link)).stdout, 'a\n');
    } finally {
      rmSync(link);
    }
  });

  it('says how it is used when it is told nothing', async () => {
    assert.equal((await launch([])).code, 2);
    assert.equal((await launch(['--tool'])).code, 2);
  });
});
