import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeValue, pack } from '@regatta/workloads';
import type { ResultPart, RunView } from '../views.ts';
import { entriesOf, jsonLines, textLines, writeAll } from './results.ts';
import { runView } from './testing/views.ts';

const FAILED = Symbol('failed');

function partOf(from: number, ...values: unknown[]): ResultPart {
  const entries = values.map((value) => (value === FAILED ? new Uint8Array(0) : encodeValue(value)));
  return { from, to: from + values.length, results: pack(entries) };
}

const runOf = (tasks: number, state: RunView['state'] = 'succeeded'): RunView => {
  const view = runView({ state });
  return { ...view, spec: { ...view.spec, tasks } };
};
const text = (parts: ResultPart[], run: RunView): string => [...textLines(entriesOf(parts, run))].join('');
const json = (parts: ResultPart[], run: RunView): string => [...jsonLines(entriesOf(parts, run))].join('');

describe('results as text', () => {
  it('are a line each, in task order, over all parts', () => {
    assert.equal(
      text([partOf(0, 5, 'six'), partOf(2, { a: [7] }, null, undefined)], runOf(5)),
      '0\t5\n1\tsix\n2\t{"a":[7]}\n3\tnull\n4\tnull\n',
    );
  });

  it('say which tasks failed', () => {
    assert.equal(text([partOf(0, 1, FAILED, 3)], runOf(3, 'failed')), '0\t1\n1\tfailed\n2\t3\n');
  });

  it('say so also of those that no part speaks of: they were given up with their hosts', () => {
    assert.equal(
      text([partOf(1, 1), partOf(3, 3)], runOf(6, 'failed')),
      '0\tfailed\n1\t1\n2\tfailed\n3\t3\n4\tfailed\n5\tfailed\n',
    );
    assert.equal(text([], runOf(2, 'failed')), '0\tfailed\n1\tfailed\n');
  });

  it('leave those out that a stopped run never did', () => {
    assert.equal(text([partOf(1, 1, FAILED), partOf(5, 5)], runOf(9, 'cancelled')), '1\t1\n2\tfailed\n5\t5\n');
  });

  it('stay one line each, whatever is in them', () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    assert.equal(
      text([partOf(0, 'two\nlines', { bytes: Buffer.of(1) }, circular)], runOf(3)),
      '0\t"two\\nlines"\n1\t{"bytes":"AQ=="}\n2\t"a value that refers to itself: JSON cannot show it"\n',
    );
  });

  it('have digits for big integers and base64 for bytes', () => {
    assert.equal(
      text([partOf(0, 2n ** 70n, { bytes: Uint8Array.of(255, 0) })], runOf(2)),
      '0\t"1180591620717411303424"\n1\t{"bytes":"/wA="}\n',
    );
  });
});

describe('results as JSON', () => {
  it('are one array, an entry a line', () => {
    const printed = json([partOf(0, 1, 'two\n', FAILED)], runOf(3, 'failed'));
    assert.equal(printed.split('\n').length, 6);
    assert.deepEqual(JSON.parse(printed), [
      { task: 0, value: 1 },
      { task: 1, value: 'two\n' },
      { task: 2, failed: true },
    ]);
  });

  it('are an empty array where there are none', () => {
    assert.deepEqual(JSON.parse(json([], runOf(3, 'cancelled'))), []);
  });

  it('are made one by one, as they are asked for', () => {
    const parts = [partOf(0, 1), { from: 1, to: 2, results: new Uint8Array(3) }];
    const lines = jsonLines(entriesOf(parts, runOf(2)))[Symbol.iterator]();
    assert.equal(lines.next().value, '[\n{"task":0,"value":1}');
    assert.throws(() => lines.next(), /not a pack/);
  });
});

describe('what is written', () => {
  const read = async (stream: PassThrough): Promise<string> => (await stream.setEncoding('utf8').toArray()).join('');

  it('comes out whole, though it is long', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`);
    const stream = new PassThrough({ highWaterMark: 1_000 });
    const reading = read(stream);
    await writeAll(stream as unknown as NodeJS.WriteStream, lines);
    stream.end();
    assert.equal(await reading, lines.join(''));
  });

  it('waits while the reader does not read', async () => {
    let made = 0;
    const endless = (function* () {
      for (; made < 5_000; made++) yield 'x'.repeat(1_000);
    })();
    const stream = new PassThrough();
    const writing = writeAll(stream as unknown as NodeJS.WriteStream, endless);
    for (let i = 0; i < 10; i++) await turn();
    assert.ok(made < 1_000, `${made} lines were made for a reader that is not there`);
    stream.destroy(new Error('gone'));
    await assert.rejects(writing, /gone/);
  });
});
