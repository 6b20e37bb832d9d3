import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inflateSync } from 'node:zlib';
import { Cluster } from './cluster.ts';
import { type ResultJson, type RunJson, type ShownRun, sumsFrom } from './wire.ts';

const N = 200_000;
const COUNT = 20;

const models: readonly (readonly [name: string, options: readonly string[]])[] = [
  ['serial', ['--model', 'serial']],
  ['async', ['--model', 'async', '--concurrency', '4']],
  ['threads', ['--model', 'threads', '--threads', '2']],
  ['processes', ['--model', 'processes', '--processes', '2']],
  ['hybrid', ['--model', 'hybrid', '--processes', '2', '--threads', '2', '--concurrency', '2']],
];

describe('the same work under every model', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
  });
  after(() => cluster.stop());

  for (const [name, options] of models) {
    for (const nodes of [1, 2]) {
      it(`number-cruncher equals (n-1)n(2n-1)/6 for every n under ${name} on ${nodes} node(s)`, async () => {
        const inputs = ['--set', `n=${N}`, '--set', `count=${COUNT}`];
        const args = ['run', 'number-cruncher', ...inputs, ...options, '--nodes', String(nodes)];
        const run = await cluster.json<RunJson>(args);
        assert.deepEqual(Object.keys(run), [
          'runId',
          'state',
          'tasks',
          'succeeded',
          'failed',
          'cancelled',
          'wallMs',
          'result',
          'failures',
          'late',
          'hostRestarts',
        ]);
        assert.equal(run.state, 'succeeded');
        assert.equal(run.succeeded, COUNT);
        const { sums, total } = run.result as { sums: string[]; total: string };
        assert.deepEqual(sums, sumsFrom(N, COUNT));
        assert.equal(
          BigInt(total),
          sums.reduce((sum, one) => sum + BigInt(one), 0n),
        );
        const results = await cluster.json<ResultJson[]>(['results', run.runId]);
        assert.deepEqual(
          results,
          sumsFrom(N, COUNT).map((value, task) => ({ task, value })),
        );
      });
    }
  }

  it('sum-list gives one sum whatever the model, and threads need less memory for it than processes', async () => {
    const inputs = ['--set', 'length=8_000_000', '--set', 'pieces=32', '--nodes', '1'];
    const sums = new Set<unknown>();
    const memory: Record<string, number> = {};
    for (const [name, options] of models) {
      const run = await cluster.json<RunJson>(['run', 'sum-list', ...inputs, ...options]);
      sums.add((run.result as { sum: number }).sum);
      memory[name] = (await cluster.json<ShownRun>(['show', run.runId])).accounting.peakRssBytes;
    }
    assert.equal(sums.size, 1);
    // One list of 64 MB against two.
    assert.ok(memory.processes! > memory.threads! + 30e6, JSON.stringify(memory));
  });

  it('mandelbrot --out writes a PNG of the size asked for', async () => {
    const file = join(cluster.sandbox.directory, 'picture.png');
    const size = ['--set', 'width=321', '--set', 'height=123', '--set', 'rowsPerTask=7'];
    const { code, stderr } = await cluster.regatta(['run', 'mandelbrot', ...size, '--out', file]);
    assert.equal(code, 0, stderr);
    const png = readFileSync(file);
    assert.equal(png.subarray(1, 4).toString('latin1'), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [321, 123]);
    assert.equal(pixelBytes(png).byteLength, 123 * (1 + 321));
  });

  it('--out for a workload that makes no file, or to a folder that is not there, is refused in one line', async () => {
    const none = await cluster.regatta(['run', 'noop', '--out', '/tmp/x']);
    assert.deepEqual([none.code, none.stdout, none.stderr.trim().split('\n').length], [2, '', 1]);
    const inputs = ['--set', 'width=8', '--set', 'height=8'];
    const nowhere = await cluster.regatta(['run', 'mandelbrot', ...inputs, '--out', '/nonexistent/x.png', '--json']);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /cannot write \/nonexistent\/x\.png/);
    assert.doesNotMatch(nowhere.stderr, /\n\s+at /);
  });
});

/** The image data, one byte a pixel and one filter byte a row. */
function pixelBytes(png: Buffer): Buffer {
  const data: Buffer[] = [];
  for (let at = 8; at < png.byteLength; ) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return inflateSync(Buffer.concat(data));
}
