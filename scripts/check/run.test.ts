import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Check, runChecks } from './run.ts';

const node = (name: string, code: string): Check => ({ name, command: [process.execPath, '-e', code] });

async function run(checks: Check[], atOnce = 2) {
  let printed = '';
  const print = (text: string) => {
    printed += text;
  };
  const setting = { atOnce, folder: import.meta.dirname, environment: process.env, print };
  return { results: await runChecks(checks, setting), printed };
}

describe('checks', () => {
  it('all run, whichever fails, and are told in their order', async () => {
    const { results, printed } = await run([
      node('first', 'process.exit(3)'),
      node('second', ''),
      node('third', 'throw new Error("no")'),
      node('fourth', ''),
    ]);
    assert.deepEqual(
      results.map((result) => [result.check.name, result.passed]),
      [
        ['first', false],
        ['second', true],
        ['third', false],
        ['fourth', true],
      ],
    );
    assert.deepEqual(printed.match(/^(ok|FAILED)/gm), ['FAILED', 'ok', 'FAILED', 'ok']);
  });

  it('show what a failing one printed on either stream, and not what a passing one did', async () => {
    const { printed } = await run([
      node('bad', 'console.log("to stdout"); console.error("to stderr"); process.exit(1)'),
      node('good', 'console.log("chatter")'),
    ]);
    assert.match(printed, /bad: failed/);
    assert.match(printed, /to stdout/);
    assert.match(printed, /to stderr/);
    assert.doesNotMatch(printed, /chatter/);
  });

  it('fail where the tool is missing or is killed', async () => {
    const { results, printed } = await run([
      { name: 'missing', command: ['/no/such/tool'] },
      node('killed', 'process.kill(process.pid, "SIGKILL")'),
    ]);
    assert.deepEqual(
      results.map((result) => result.passed),
      [false, false],
    );
    assert.match(printed, /cannot run \/no\/such\/tool/);
    assert.match(printed, /ended by SIGKILL/);
  });
});
