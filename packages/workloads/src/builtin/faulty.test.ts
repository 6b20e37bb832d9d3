import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import type { TaskContext } from '../define.ts';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { faulty } from './faulty.ts';

type Params = Parameters<typeof faulty.run>[0];

const url = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
const paramsOf = (given: Partial<Params>): Params => resolveParameters(faulty, given) as Params;
const contextOf = (task: number, signal = new AbortController().signal): TaskContext => ({
  task,
  attempt: 1,
  signal,
  shared: undefined,
  input: undefined,
});

/** A program in which task 7 misbehaves; it has been cancelled before, to see that it does not care. */
const program = (how: string): string => `
  import { faulty } from ${url('./faulty.ts')};
  process.stdout.write('begun\\n');
  setTimeout(() => process.stdout.write('a timer ran\\n'), 5).unref();
  const context = { task: 7, attempt: 1, signal: AbortSignal.abort() };
  const value = await faulty.run(${JSON.stringify(paramsOf({ how }))}, context);
  process.stdout.write('gave ' + value + '\\n');
`;

/** A program in which a thread fills buffers, and the main thread ends it all once that is beyond doubt. */
const BUFFERS_PROGRAM = `
  import { Worker } from 'node:worker_threads';
  const fill = \`import(${url('./faults.ts')}).then(({ faults }) => faults.buffers(0, 0))\`;
  const thread = new Worker(fill, { eval: true });
  thread.on('error', (error) => process.stdout.write(error.message));
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    if (rss < 512 * 2 ** 20) return;
    process.stdout.write(heapUsed < 64 * 2 ** 20 ? 'off the heap' : 'on the heap');
    process.kill(process.pid, 'SIGKILL');
  }, 5);
`;

/** A program that leaks three times, collects what nobody holds, and says what is left. */
const LEAK_PROGRAM = `
  import { faulty } from ${url('./faulty.ts')};
  const leak = () => faulty.run(${JSON.stringify(paramsOf({ how: 'leak' }))}, { task: 7 });
  const values = [leak(), leak(), leak()];
  gc();
  const { rss, arrayBuffers } = process.memoryUsage();
  process.stdout.write(JSON.stringify({ values, rss, arrayBuffers }));
`;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it in a process of its own, with no core dump to find afterwards. */
function inChild(source: string, { flags = [] as string[], killAfterMs = 0 } = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const command = [process.execPath, ...flags, '--input-type=module', '-e', source];
    const child = execFile(
      'sh',
      ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...command],
      { maxBuffer: Number.POSITIVE_INFINITY, timeout: 60_000, killSignal: 'SIGKILL' },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
    // from its first words on, for how long a process takes to start is anyone's guess
    if (killAfterMs > 0) child.stdout!.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs));
  });
}

describe('a faulty task that is not to misbehave', () => {
  it('gives its index', async () => {
    const { results, combined } = await runSerially(faulty, { count: 5, how: 'kill', workMs: 1 });
    assert.deepEqual(
      results.map(({ value }) => value),
      [0, 1, 2, 3, 4],
    );
    assert.deepEqual(combined, { tasks: 5, misbehaved: 0 });
  });

  it('waits as long as it is told to, and until it is cancelled', async () => {
    const start = performance.now();
    await faulty.run(paramsOf({ workMs: 50 }), contextOf(0));
    // timers may fire up to a millisecond early
    assert.ok(performance.now() - start >= 49);
    const cancelled = faulty.run(paramsOf({ workMs: 60_000 }), contextOf(0, AbortSignal.abort()));
    await assert.rejects(Promise.resolve(cancelled), { name: 'AbortError' });
  });

  it('returns at once where it is to wait for nothing', () => {
    assert.equal(faulty.run(paramsOf({ workMs: 0 }), contextOf(3)), 3);
  });
});

describe('the tasks of faulty that misbehave', () => {
  const misbehaving = (given: Partial<Params>): number[] => {
    const params = paramsOf({ how: 'throw', workMs: 0, ...given });
    const fails = (task: number): boolean => {
      try {
        faulty.run(params, contextOf(task));
        return false;
      } catch {
        return true;
      }
    };
    return [...Array(faulty.tasks(params)).keys()].filter(fails);
  };

  it('are the one that is named', () => {
    assert.deepEqual(misbehaving({}), [7]);
    assert.deepEqual(misbehaving({ at: 0 }), [0]);
    assert.deepEqual(misbehaving({ at: 20 }), []);
  });

  it('are every n-th instead where that is asked for', () => {
    assert.deepEqual(misbehaving({ every: 6 }), [5, 11, 17]);
    assert.deepEqual(misbehaving({ every: 1, count: 3 }), [0, 1, 2]);
    assert.deepEqual(misbehaving({ every: 30 }), []);
  });

  it('are counted where they succeeded all the same', async () => {
    const { combined } = await runSerially(faulty, { how: 'large', bytes: 10, every: 6, workMs: 0 });
    assert.deepEqual(combined, { tasks: 20, misbehaved: 3 });
  });

  it('are refused what there is no fault for, in one line that names those there are', () => {
    for (const how of ['', 'Throw', 'explode', 'constructor']) {
      assert.throws(
        () => faulty.tasks(paramsOf({ how })),
        (error: Error) =>
          error instanceof RegattaError && /^faulty: how is ".*"; give .*throw, .*large$/.test(error.message),
      );
    }
  });
});

describe('a faulty task that lives on', () => {
  it('throws', () => {
    assert.throws(() => faulty.run(paramsOf({}), contextOf(7)), /faulty on purpose: task 7 throws/);
  });

  it('gives more than anyone wants', () => {
    const value = faulty.run(paramsOf({ how: 'large' }), contextOf(7));
    assert.ok(value instanceof Uint8Array && value.byteLength === 52_428_800);
  });
});

describe('a process in which a faulty task', { concurrency: 2 }, () => {
  it('exits ends with that code', async () => {
    const { code, stdout } = await inChild(program('exit'));
    assert.deepEqual([code, stdout], [7, 'begun\n']);
  });

  it('aborts dies of SIGABRT', async () => {
    const { signal, stdout } = await inChild(program('abort'));
    assert.deepEqual([signal, stdout], ['SIGABRT', 'begun\n']);
  });

  it('kills it dies of SIGKILL', async () => {
    assert.equal((await inChild(program('kill'))).signal, 'SIGKILL');
  });

  it('fills the heap is aborted by V8', async () => {
    const { signal, stdout, stderr } = await inChild(program('heap'), { flags: ['--max-old-space-size=64'] });
    assert.deepEqual([signal, stdout], ['SIGABRT', 'begun\n']);
    assert.match(stderr, /heap out of memory/);
  });

  it('fills buffers grows past what the heap may be, until it is killed', async () => {
    const { signal, stdout } = await inChild(BUFFERS_PROGRAM, { flags: ['--max-old-space-size=64'] });
    assert.deepEqual([signal, stdout], ['SIGKILL', 'off the heap']);
  });

  it('leaks grows by what it was told, and has its result each time', async () => {
    const { stdout } = await inChild(LEAK_PROGRAM, { flags: ['--expose-gc'] });
    const { values, rss, arrayBuffers } = JSON.parse(stdout);
    assert.deepEqual(values, [7, 7, 7]);
    // in the books, and in the machine's memory
    for (const held of [arrayBuffers, rss]) assert.ok(held >= 3 * 52_428_800, stdout);
  });

  it('spins hears and does nothing until it is killed', async () => {
    const { signal, stdout } = await inChild(program('spin'), { killAfterMs: 300 });
    assert.deepEqual([signal, stdout], ['SIGKILL', 'begun\n']);
  });

  it('waits for ever goes on, cancelled or not, and does not end by itself', async () => {
    const { signal, stdout } = await inChild(program('wait'), { killAfterMs: 300 });
    assert.deepEqual([signal, stdout], ['SIGKILL', 'begun\na timer ran\n']);
  });

  for (const how of ['reject', 'reject-soon', 'late-throw']) {
    it(`does ${how} has its result, and dies of what comes after`, async () => {
      const { code, stdout, stderr } = await inChild(program(how));
      assert.equal(code, 1);
      assert.match(stdout, /^begun\ngave 7\n/);
      assert.match(stderr, /Error: faulty on purpose: .*task 7/);
    });
  }

  it('floods its output writes 64 MiB there, and has its result', async () => {
    const { code, stdout, stderr } = await inChild(program('flood'));
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout.replaceAll(/^(begun|a timer ran|gave 7)\n/gm, '').length, 2 ** 26);
    assert.match(stdout.slice(-100), /gave 7\n/);
  });

  it('floods its errors writes 64 MiB there, and has its result', async () => {
    const { code, stdout, stderr } = await inChild(program('flood-stderr'));
    assert.deepEqual([code, stderr.length], [0, 2 ** 26]);
    assert.match(stdout, /gave 7\n/);
  });
});
