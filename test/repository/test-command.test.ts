/** `npm test` itself: what it says of skipped tests, and that it ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';

const script = join(dirname(dirname(import.meta.dirname)), 'scripts', 'test.ts');
const folder = mkdtempSync(join(tmpdir(), 'regatta-tests-'));
after(() => rmSync(folder, { recursive: true }));

async function runTests(name: string, code: string, environment: NodeJS.ProcessEnv = {}) {
  const path = join(folder, `${name}.test.ts`);
  writeFileSync(path, `import { it } from 'node:test';\n${code}`);
  // This variable tells Node's runner that it is inside a run of tests, and then it runs none.
  const { NODE_TEST_CONTEXT: _, ...env } = { ...process.env, ...environment };
  const child = spawn(process.execPath, [script, path], { env });
  const [stdout, stderr, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { stdout, stderr, exit };
}

describe('npm test', () => {
  it('ends well, with the runner’s own summary', async () => {
    const { stdout, exit } = await runTests('good', "it('works', () => {});");
    assert.equal(exit, 0);
    assert.match(stdout, /^ℹ tests 1$/m);
    assert.doesNotMatch(stdout, /SKIPPED/);
  });

  it('fails as a test fails', async () => {
    const { stdout, exit } = await runTests('bad', "it('fails', () => { throw new Error('no'); });");
    assert.equal(exit, 1);
    assert.match(stdout, /^ℹ fail 1$/m);
  });

  it('says last what was skipped, and why', async () => {
    const { stdout, exit } = await runTests('skips', "it('is for Mars', { skip: 'no rocket here' }, () => {});");
    assert.equal(exit, 0);
    assert.match(stdout, /ℹ tests 1[\s\S]*1 TEST WAS SKIPPED:\n.*skips\.test\.ts: is for Mars: no rocket here\n$/);
  });

  it('ends a file that does not, and names it', async () => {
    const environment = { REGATTA_TEST_SILENCE_MS_MAX: '1500' };
    const { stdout, stderr, exit } = await runTests(
      'leak',
      "it('leaks', () => { setInterval(() => {}, 1e3) })",
      environment,
    );
    assert.equal(exit, 1);
    assert.match(stderr, /Nothing happened for 1500 ms/);
    assert.match(stdout, /Interrupted while running:[\s\S]*leak\.test\.ts/);
  });

  it('fails where a pattern matches no test', async () => {
    const child = spawn(process.execPath, [script, 'no/such/place'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const [stderr, [exit]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.equal(exit, 1);
    assert.match(stderr, /no test file matches no\/such\/place/);
  });
});
