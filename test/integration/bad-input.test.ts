import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Ended, Sandbox } from './cluster.ts';

interface Bad {
  readonly args: readonly string[];
  /** What the line must say: what is wrong, and how to mend it. */
  readonly says: RegExp;
  readonly code?: number;
}

const run = (...options: string[]): string[] => ['run', 'noop', ...options];
const WHOLE = /whole number from 1 to/;

const table: readonly Bad[] = [
  { args: ['run', 'nonsense'], says: /no workload "nonsense"; there are: number-cruncher/ },
  { args: ['race', 'nonsense'], says: /no workload "nonsense"/ },
  { args: ['run', '__proto__'], says: /no workload "__proto__"/ },
  { args: ['run'], says: /missing required argument 'workload'/ },
  { args: ['nonsense'], says: /unknown command 'nonsense'/ },
  { args: ['statuss'], says: /unknown command 'statuss'.*status/ },
  { args: run('--nonsense'), says: /unknown option '--nonsense'/ },
  { args: run('--modle', 'serial'), says: /unknown option '--modle'.*--model/ },
  { args: run('--model', 'nonsense'), says: /serial, async, threads, processes, hybrid/ },
  { args: run('--policy', 'nonsense'), says: /static, self, awf/ },
  { args: run('--set', 'nonsense=1'), says: /noop has no parameter "nonsense"; it takes: count/ },
  { args: run('--set', 'nonsense'), says: /name=value/ },
  { args: run('--set', 'count=abc'), says: /count is "abc"; give a whole number/ },
  { args: run('--set', 'count=-1'), says: /count is "-1"/ },
  { args: run('--processes', '2', '--model', 'serial'), says: /--processes 2 does not go with --model serial/ },
  // What else is no width is told apart by unit tests of cli/options.ts.
  ...['0', '-1', '1e9', 'abc'].map((value) => ({ args: run('--processes', value), says: WHOLE })),
  ...['--threads', '--concurrency', '--nodes', '--chunk'].map((option) => ({ args: run(option, '0'), says: WHOLE })),
  { args: run('--processes', '4096', '--threads', '4096'), says: /processes × threads × concurrency|whole number/ },
  { args: run('--retries', '-1'), says: /whole number from 0 to 100/ },
  { args: run('--timeout', 'abc'), says: /500ms, 5s/ },
  { args: run('--deadline', '99999h'), says: /24 days/ },
  { args: run('--coordinator', 'nonsense'), says: /HOST:PORT/ },
  { args: run('--coordinator', 'localhost:99999'), says: /HOST:PORT/ },
  { args: run('--coordinator', 'http://localhost:80'), says: /http:\/\/localhost:80/, code: 0 },
  { args: run('--coordinator', 'no-such-host.invalid:7420'), says: /no-such-host\.invalid:7420/, code: 3 },
  { args: ['race', 'noop', '--repeat', '0'], says: WHOLE },
  { args: ['up', '--agents', '0'], says: WHOLE },
  { args: ['up', '--listen', 'nonsense'], says: /HOST:PORT/ },
  { args: ['up', '--listen', '192.0.2.1:7420', '--insecure'], says: /cannot listen on 192\.0\.2\.1:7420/, code: 3 },
  { args: ['show'], says: /missing required argument 'run'/ },
  { args: ['status'], says: /no cluster is up; start one with regatta up/, code: 3 },
  { args: ['nodes'], says: /no cluster is up/, code: 3 },
  { args: ['runs'], says: /no cluster is up/, code: 3 },
  { args: ['watch', 'run-x'], says: /no cluster is up/, code: 3 },
  { args: ['results', 'run-x'], says: /no cluster is up/, code: 3 },
  { args: ['nodes', '--coordinator', '127.0.0.1:1'], says: /127\.0\.0\.1:1.*--coordinator/, code: 3 },
];

/** One clear line, no stack trace, nothing on stdout, the right exit code. */
function assertOneLine({ code, stdout, stderr }: Ended, bad: Omit<Bad, 'args'>): void {
  assert.match(stderr, bad.says);
  assert.doesNotMatch(stderr, /\n\s+at |this is a bug/);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  assert.match(stderr, /^regatta: /);
  assert.equal(stdout, '');
  if (bad.code === 0) assert.ok(code === 2 || code === 3, `exit ${code}`);
  else assert.equal(code, bad.code ?? 2);
}

describe('bad input', () => {
  let sandbox: Sandbox;
  before(() => {
    sandbox = new Sandbox();
  });
  after(async () => {
    await sandbox.nothingLeft();
    await sandbox.discard();
  });

  for (const bad of table) {
    it(`regatta ${bad.args.map((arg) => arg || "''").join(' ')} gets one line that says how to mend it`, async () => {
      const json = bad.args[0] === 'up' || bad.args.length === 1 ? [] : ['--json'];
      assertOneLine(await sandbox.regatta([...bad.args, ...json]), bad);
    });
  }

  it('REGATTA_COORDINATOR that is no address gets one line that names it', async () => {
    const ended = await sandbox.regatta(run('--json'), { REGATTA_COORDINATOR: 'nonsense' });
    assertOneLine(ended, { says: /REGATTA_COORDINATOR.*HOST:PORT/ });
  });

  it('a run of no tasks gets one line', async () => {
    const { code, stderr, stdout } = await sandbox.regatta(run('--set', 'count=0', '--json'));
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /(tasks|count) is "?0/);
  });

  it('a port in use gets one line from serve and from up', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as { port: number };
    const address = `127.0.0.1:${port}`;
    try {
      const says = new RegExp(`cannot listen on ${address}: the port is in use.*--listen`);
      assertOneLine(await sandbox.regatta(['serve', '--listen', address]), { says, code: 3 });
      assertOneLine(await sandbox.regatta(['up', '--listen', address, '--json']), { says, code: 3 });
    } finally {
      holder.close();
    }
  });

  it('a state directory that cannot be made gets one line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'regatta-it-file-'));
    try {
      writeFileSync(join(folder, 'file'), '');
      const inAFile = join(folder, 'file', 'state');
      const ended = await sandbox.regatta(['up'], { REGATTA_STATE_DIR: inAFile });
      assertOneLine(ended, { says: new RegExp(inAFile), code: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('node-agent refuses bad options in one line with exit code 2', async () => {
    for (const [args, says] of [
      [['--coordinator', 'nonsense'], /HOST:PORT/],
      [['--id', 'a b'], /letters, digits/],
      [['--cores', '0'], /whole number from 1/],
      [['--prestart', 'abc'], /whole number from 1/],
      [['--nonsense'], /unknown option/],
    ] as const) {
      const { code, stderr, stdout } = await sandbox.agent(args);
      assert.match(stderr, says);
      assert.deepEqual([code, stdout, stderr.trimEnd().split('\n').length], [2, '', 1], stderr);
    }
  });
});
