import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';

const LATE = JSON.stringify(new URL('./late.ts', import.meta.url).href);

/** What a program prints and how it ends. Late failures end a process: this one must live. */
function outcomeOf(program: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const whole = `
    import { begins, catchLateFailures } from ${LATE};
    const task = (name) => begins({ failedLate: (thrown) => console.log(name, 'failed:', thrown?.message ?? thrown) });
    ${program}
  `;
  return new Promise((resolve) => {
    const options = { timeout: 20_000 };
    execFile(process.execPath, ['--input-type=module', '-e', whole], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

const WAYS: [string, string][] = [
  ['a timer that throws', `setTimeout(() => { throw new Error('boom'); }, 1)`],
  ['an immediate that throws', `setImmediate(() => { throw new Error('boom'); })`],
  ['a microtask that throws', `queueMicrotask(() => { throw new Error('boom'); })`],
  ['a promise that rejects at once', `void Promise.reject(new Error('boom'))`],
  ['a promise that rejects later', `void (async () => { await null; throw new Error('boom'); })()`],
  ['a promise of a timer that rejects', `setTimeout(() => void Promise.reject(new Error('boom')), 1)`],
];

describe('what a task leaves to fail', () => {
  for (const [what, code] of WAYS) {
    it(`as ${what} is laid at its door, and at no other’s`, async () => {
      const program = `
        catchLateFailures();
        task('one');
        setTimeout(() => {}, 2);
        task('two');
        ${code};
        task('three');
        void Promise.resolve();
        setTimeout(() => console.log('lives'), 50);
      `;
      assert.deepEqual(await outcomeOf(program), { code: 0, stdout: 'two failed: boom\nlives\n', stderr: '' });
    });
  }

  it('is told apart where tasks take turns', async () => {
    const program = `
      catchLateFailures();
      const run = async (name) => {
        task(name);
        await new Promise((resolve) => setTimeout(resolve, 1));
        setTimeout(() => { throw new Error('of ' + name); }, 5);
        await null;
      };
      await Promise.all(['one', 'two', 'three'].map(run));
    `;
    const { stdout } = await outcomeOf(program);
    assert.deepEqual(
      stdout.split('\n').slice(0, 3).sort(),
      ['one', 'two', 'three'].map((n) => `${n} failed: of ${n}`).sort(),
    );
  });

  it('may be anything that can be thrown', async () => {
    const program = `
      catchLateFailures();
      task('one');
      setTimeout(() => { throw undefined; }, 1);
      setTimeout(() => void Promise.reject('a text'), 20);
    `;
    assert.equal((await outcomeOf(program)).stdout, 'one failed: undefined\none failed: a text\n');
  });
});

describe('what no task began', () => {
  for (const [what, code] of [
    ['a timer', `setTimeout(() => { throw new Error('nobody did it'); }, 1)`],
    ['a promise', `void Promise.reject(new Error('nobody did it'))`],
  ] as const) {
    it(`ends the process when ${what} fails, with its stack`, async () => {
      const program = `catchLateFailures(); ${code}; setTimeout(() => console.log('lives'), 200);`;
      const { code: exit, stdout, stderr } = await outcomeOf(program);
      assert.deepEqual([exit, stdout], [1, '']);
      assert.match(stderr, /^Error: nobody did it\n +at /);
    });
  }

  it('says what it was where it has no stack', async () => {
    const { code, stderr } = await outcomeOf(`catchLateFailures(); setTimeout(() => { throw 'a text'; }, 1);`);
    assert.deepEqual([code, stderr], [1, 'a text\n']);
  });
});
