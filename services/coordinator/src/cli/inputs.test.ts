import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import { decodeValue, unpack } from '@regatta/workloads';
import fc from 'fast-check';
import { limits } from '../engine/limits.ts';
import { RunInputs } from '../engine/run-inputs.ts';
import { roomyShelf } from '../engine/testing/runs.ts';
import { packInputs } from './inputs.ts';

const PART_BYTES = 1_048_576;
const TAG_BYTES = 1;

const bytesOf = (...sizes: number[]): Uint8Array[] => sizes.map((size) => new Uint8Array(size));
const partsOf = (inputs: Iterable<unknown>): Buffer[] => [...packInputs(inputs)];
const countsOf = (inputs: Iterable<unknown>): number[] => partsOf(inputs).map((part) => unpack(part).length);
const valuesOf = (parts: readonly Buffer[]): unknown[] => parts.flatMap((part) => unpack(part).map(decodeValue));

/** As the coordinator does. @throws RegattaError where it would refuse them */
function take(parts: readonly Buffer[], tasks: number): void {
  const inputs = new RunInputs(roomyShelf());
  for (const part of parts) inputs.add(part, tasks);
  assert.equal(inputs.tasks, tasks);
}

function refusal(inputs: Iterable<unknown>): [code: string, message: string] {
  try {
    partsOf(inputs);
  } catch (thrown) {
    assert.ok(thrown instanceof RegattaError, String(thrown));
    return [thrown.code, thrown.message];
  }
  return assert.fail('nothing was refused');
}

describe('inputs of tasks', () => {
  it('go in task order, whatever they are', () => {
    const values = [1, 'two', undefined, null, { three: [3] }, Uint8Array.of(4), 5n];
    assert.deepEqual(valuesOf(partsOf(values)), values);
    assert.deepEqual(partsOf([]), []);
  });

  it('are cut into parts of about a mebibyte', () => {
    assert.deepEqual(countsOf(bytesOf(...Array<number>(7).fill(400_000))), [2, 2, 2, 1]);
    assert.deepEqual(countsOf(bytesOf(...Array<number>(3).fill(2_000_000))), [1, 1, 1]);
  });

  it('are read as they are asked for, not ahead', () => {
    let read = 0;
    const endless = (function* () {
      for (;;) {
        read++;
        yield new Uint8Array(500_000);
      }
    })();
    const parts = packInputs(endless)[Symbol.iterator]();
    parts.next();
    assert.ok(read <= 2, `${read} were read for the first part`);
  });

  it('that are tiny go in parts of as many as a chunk may have', () => {
    const inputs = Array<number>(70_000).fill(1);
    assert.deepEqual(countsOf(inputs), [65_536, 4_464]);
  });

  // Each entry takes four bytes beside its own, which are most of a part of small ones.
  for (const bytes of [0, 11, 12, 20, 50, 62, 63]) {
    it(`of ${bytes} bytes each are taken by the coordinator, also very many`, () => {
      const count = 90_000;
      take(partsOf(bytesOf(...Array<number>(count).fill(bytes))), count);
    });
  }

  it('are taken by the coordinator where a large one follows small ones', () => {
    const inputs = bytesOf(10, 10, 2_000_000, 10, limits.inputBytesMax - TAG_BYTES, 10);
    const parts = partsOf(inputs);
    take(parts, inputs.length);
    assert.deepEqual(valuesOf(parts), inputs);
  });

  it('that are small go together again after a large one', () => {
    assert.deepEqual(countsOf(bytesOf(2_000_000, ...Array<number>(500).fill(10))), [1, 500]);
  });

  it('are taken by the coordinator, whatever their sizes', () => {
    const size = fc.oneof(fc.nat(100), fc.nat(PART_BYTES), fc.integer({ min: PART_BYTES - 50, max: PART_BYTES + 50 }));
    fc.assert(
      fc.property(fc.array(size, { maxLength: 12 }), (sizes) => {
        const parts = partsOf(bytesOf(...sizes));
        take(parts, sizes.length);
        assert.deepEqual(
          valuesOf(parts).map((value) => (value as Uint8Array).byteLength),
          sizes,
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('an input that cannot be sent', () => {
  it('because it is too large is refused by its task, as the coordinator would', () => {
    const [code, message] = refusal(bytesOf(10, limits.inputBytesMax));
    assert.equal(code, 'INPUT_TOO_LARGE');
    assert.match(message, /^the input of task 1 is 33554433 bytes; at most 33554432 can be sent: send less, or let/);
    assert.doesNotMatch(message, /\n/);
  });

  it('because it cannot be cloned is refused by its task', () => {
    const message = 'the input of task 2 cannot be copied to another process';
    assert.deepEqual(refusal([1, 2, () => 3]), ['INPUT_NOT_CLONEABLE', message]);
  });
});
