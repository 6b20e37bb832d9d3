import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import { decodeValue, pack, unpack } from '@regatta/workloads';
import fc from 'fast-check';
import { Shelf } from './byte-log.ts';
import { limits } from './limits.ts';
import { RunInputs } from './run-inputs.ts';
import { largePack, packOf, roomyShelf } from './testing/runs.ts';

/** What is less stays in memory: it is not worth a write. */
const WRITE_BYTES_MIN = 262_144;
const directory = mkdtempSync(join(tmpdir(), 'run-inputs-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Inputs in parts of these sizes. */
function inputsOf(sizes: readonly number[], shelf: Shelf = roomyShelf()): RunInputs {
  const inputs = new RunInputs(shelf);
  const tasks = sizes.reduce((sum, size) => sum + size, 0);
  for (const size of sizes) inputs.add(packOf(inputs.tasks, inputs.tasks + size), tasks);
  return inputs;
}

const valuesIn = (packed: Uint8Array): unknown[] => unpack(packed).map(decodeValue);
const namesOf = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `task ${from + i}`);

function refusal(add: () => void): [code: string, message: string] {
  try {
    add();
  } catch (thrown) {
    assert.ok(thrown instanceof RegattaError, String(thrown));
    assert.doesNotMatch(thrown.message, /\n/);
    return [thrown.code, thrown.message];
  }
  return assert.fail('nothing was refused');
}

describe('inputs that came in parts', () => {
  it('say where the parts begin, but for the first', () => {
    assert.deepEqual(inputsOf([3, 1, 2]).cuts, [3, 4]);
    assert.deepEqual([inputsOf([5]).cuts, inputsOf([3, 1, 2]).tasks], [[], 6]);
  });

  it('give any chunk within a part its own, in any order', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat())), (sizes, chunks) => {
        const inputs = inputsOf(sizes);
        const starts = [0, ...inputs.cuts];
        for (const [which, offset, length] of chunks) {
          const part = which % sizes.length;
          const first = offset % sizes[part]!;
          const from = starts[part]! + first;
          const to = from + 1 + (length % (sizes[part]! - first));
          assert.deepEqual(valuesIn(inputs.slice(from, to)), namesOf(from, to));
        }
        inputs.drop();
      }),
    );
  });

  it('give the same from disk', () => {
    const shelf = new Shelf(directory, 0);
    const inputs = inputsOf([3, 30_000, 2], shelf);
    assert.ok(shelf.diskBytes > 0, 'all is in memory');
    for (const [from, to] of [
      [17_000, 17_002],
      [0, 3],
      [30_003, 30_005],
    ] as const) {
      assert.deepEqual(valuesIn(inputs.slice(from, to)), namesOf(from, to));
    }
    inputs.drop();
  });

  it('cost nothing once they are dropped', () => {
    const shelf = new Shelf(directory, 0);
    const inputs = inputsOf([10, 40_000], shelf);
    inputs.slice(20, 30);
    assert.ok(shelf.diskBytes > 0, 'all is in memory');
    assert.equal(shelf.memoryBytes + shelf.diskBytes, inputs.bytes);
    inputs.drop();
    inputs.drop();
    assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [0, 0]);
  });
});

describe('inputs at their bounds', () => {
  it('may be as large as one may be, alone in its part', () => {
    const inputs = new RunInputs(roomyShelf());
    inputs.add(largePack(limits.inputBytesMax), 1);
    assert.equal(inputs.slice(0, 1).byteLength, limits.inputBytesMax + 8);
  });

  it('may fill a part', () => {
    const inputs = new RunInputs(roomyShelf());
    inputs.add(pack([new Uint8Array(limits.inputPartBytesMax - 12), new Uint8Array(0)]), 2);
    assert.equal(inputs.bytes, limits.inputPartBytesMax);
  });
});

describe('inputs that make no sense', () => {
  const table: [string, Uint8Array, RegExp, string?][] = [
    ['more than tasks', packOf(3, 6), /^it has 5 tasks and more inputs than that$/],
    ['what is no pack', new Uint8Array(3), /^inputs from task 3 on cannot be read$/],
    ['a pack whose table is wrong', wrongTable(), /^inputs from task 3 on cannot be read$/],
    ['a part of none', pack([]), /^inputs from task 3 on are an empty part$/],
    [
      'a part too large',
      pack([new Uint8Array(limits.inputPartBytesMax - 12), new Uint8Array(1)]),
      /^inputs from task 3 on come in a part of 1114113 bytes; send smaller parts$/,
    ],
    [
      'one too large',
      largePack(limits.inputBytesMax + 1),
      /^the input of task 3 is 33554433 bytes; at most 33554432 can be sent: send less, or let tasks read it from/,
      'INPUT_TOO_LARGE',
    ],
  ];
  for (const [what, packed, message, code = 'BAD_INPUTS'] of table) {
    it(`are refused for ${what}, in one line, and leave those before them as they are`, () => {
      const inputs = new RunInputs(roomyShelf());
      inputs.add(packOf(0, 3), 5);
      const { bytes } = inputs;
      const [said, why] = refusal(() => inputs.add(packed, 5));
      assert.equal(said, code);
      assert.match(why, message);
      assert.deepEqual([inputs.tasks, inputs.bytes, inputs.cuts], [3, bytes, []]);
      assert.deepEqual(valuesIn(inputs.slice(0, 3)), namesOf(0, 3));
    });
  }

  it('are refused for their sheer size before anybody looks at each', () => {
    // 16 million entries with nothing in them, which would be gigabytes of views.
    const count = 2 ** 24;
    const packed = Buffer.alloc(4 * (count + 1));
    packed.writeUInt32LE(count, 4 * count);
    const before = process.memoryUsage.rss();
    const [, message] = refusal(() => new RunInputs(roomyShelf()).add(packed, 2 ** 30));
    assert.match(message, /send smaller parts$/);
    assert.ok(process.memoryUsage.rss() - before < 2 ** 27, 'it took memory for each');
  });

  it('are refused for more bytes than a run may have', () => {
    const inputs = new RunInputs(roomyShelf());
    // The same bytes each time: only counted, for a log takes large buffers as they are.
    const large = largePack(limits.inputBytesMax);
    const fit = Math.floor(limits.inputBytesPerRunMax / large.byteLength);
    for (let i = 0; i < fit; i++) inputs.add(large, 10_000);
    const [code, message] = refusal(() => inputs.add(large, 10_000));
    assert.deepEqual([code, message], ['BAD_INPUTS', 'its inputs are more than 17179869184 bytes in all']);
  });
});

describe('inputs in too many parts', () => {
  it('are refused: each is remembered', () => {
    const inputs = new RunInputs(roomyShelf());
    const one = pack([Uint8Array.of(0)]);
    for (let i = 0; i < limits.inputPartsMax; i++) inputs.add(one, 2 ** 30);
    const [code, message] = refusal(() => inputs.add(one, 2 ** 30));
    assert.deepEqual([code, message], ['BAD_INPUTS', 'its inputs come in more than 1000000 parts']);
  });
});

describe('inputs that cannot be stored', () => {
  it('are refused with what the system says', () => {
    const inputs = new RunInputs(new Shelf(join(directory, 'gone'), 0));
    const [code, message] = refusal(() => inputs.add(largePack(WRITE_BYTES_MIN), 20));
    assert.equal(code, 'CANNOT_KEEP_INPUTS');
    assert.match(message, /^the coordinator cannot store its inputs: ENOENT: /);
  });
});

/** Two entries, the first of which ends behind the second. */
function wrongTable(): Buffer {
  const packed = pack([new Uint8Array(4), new Uint8Array(4)]);
  packed.writeUInt32LE(9, 8);
  return packed;
}
