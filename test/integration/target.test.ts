import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually, type RunningCli, Sandbox } from './cluster.ts';

/** Where it listens: it says so on stderr, with `--json`. */
async function urlOf(target: RunningCli): Promise<string> {
  let url = '';
  target.child.stderr!.on('data', (text: string) => {
    url ||= /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0] ?? '';
  });
  await eventually(() => url !== '', 15_000, 'it to say where it is');
  return url;
}

describe('regatta target', () => {
  it('answers as it is told to, until Ctrl-C, and then says what reached it', async () => {
    await using sandbox = new Sandbox();
    const args = ['--port', '0', '--latency', 'uniform:1-5', '--error-rate', '1', '--body-bytes', '10', '--json'];
    const target = sandbox.start(['target', ...args]);
    const url = await urlOf(target);
    assert.equal((await fetch(`${url}/a`)).status, 500);
    const good = await fetch(`${url}/a?errorRate=0`);
    assert.deepEqual([good.status, (await good.arrayBuffer()).byteLength], [200, 10]);
    target.child.kill('SIGINT');
    const { code, stdout, stderr } = await target.ended;
    assert.deepEqual([code, stderr], [0, `${url}\n`]);
    const { requests, statuses } = JSON.parse(stdout) as { requests: number; statuses: object };
    assert.deepEqual([requests, statuses], [2, { 200: 1, 500: 1 }]);
  });

  it('says where it is and what reached it in a line each', async () => {
    await using sandbox = new Sandbox();
    const target = sandbox.start(['target', '--port', '0']);
    let stdout = '';
    target.child.stdout!.on('data', (text: string) => {
      stdout += text;
    });
    await eventually(() => stdout.includes('\n'), 15_000, 'it to say where it is');
    await fetch(stdout.trim());
    target.child.kill('SIGTERM');
    assert.equal((await target.ended).code, 0);
    assert.match(stdout, /^http:\/\/127\.0\.0\.1:\d+\n1 request, at most 1 in flight and 1 in a second; 200: 1\n$/);
  });

  it('refuses in one line what makes no sense, and a port that is taken', async () => {
    await using sandbox = new Sandbox();
    const first = sandbox.start(['target', '--port', '0', '--json']);
    const { port } = new URL(await urlOf(first));
    for (const [args, code, says] of [
      [['--latency', 'slow'], 2, /latency is "slow"; give fixed:50, uniform:10-90 or exp:50/],
      [['--error-rate', '2'], 2, /errorRate is "2"; give a number from 0 to 1/],
      [['--port', '99999'], 2, /--port.*whole number from 0 to 65535/],
      [['--port', port], 3, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port} .*EADDRINUSE`)],
    ] as const) {
      const { code: ended, stdout, stderr } = await sandbox.regatta(['target', ...args]);
      assert.deepEqual([ended, stdout, stderr.trimEnd().split('\n').length], [code, '', 1], stderr);
      assert.match(stderr, says);
    }
    first.child.kill('SIGINT');
    await first.ended;
  });
});
