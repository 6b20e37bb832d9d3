import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { PieceWriter } from './piece-writer.ts';

/** One call of a writer; a list of them is written as a nested message. */
type Call = readonly [keyof PieceWriter, unknown] | readonly Call[];

const sizes = fc.oneof(fc.nat(200), fc.constantFrom(16_383, 16_384, 40_000));
const calls: fc.Arbitrary<readonly Call[]> = fc.letrec<{ list: readonly Call[]; call: Call }>((tie) => ({
  list: fc.array(tie('call'), { maxLength: 6 }),
  call: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(fc.constant('uint32' as const), fc.nat(2 ** 32 - 1)),
    fc.tuple(fc.constant('int32' as const), fc.integer()),
    fc.tuple(fc.constant('uint64' as const), fc.maxSafeNat()),
    fc.tuple(fc.constant('bool' as const), fc.boolean()),
    fc.tuple(fc.constant('double' as const), fc.double()),
    fc.tuple(fc.constant('string' as const), fc.string({ unit: 'binary', maxLength: 300 })),
    fc.tuple(
      fc.constant('bytes' as const),
      sizes.map((size) => new Uint8Array(size).fill(size % 251)),
    ),
    tie('list'),
  ),
})).list;

function write(writer: BinaryWriter, list: readonly Call[]): BinaryWriter {
  for (const call of list) {
    if (typeof call[0] === 'string') (writer[call[0] as 'uint32'] as (value: unknown) => unknown).call(writer, call[1]);
    else write(writer.fork(), call as readonly Call[]).join();
  }
  return writer;
}

describe('a writer of pieces', () => {
  it("gives the bytes that protobuf's own writer gives", () => {
    fc.assert(
      fc.property(calls, (list) => {
        const ours = write(new PieceWriter().asBinaryWriter(), list).finish();
        assert.deepEqual(new Uint8Array(ours), write(new BinaryWriter(), list).finish());
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a count that is none, as the other does', () => {
    for (const value of [-1, 1.5, Number.NaN, 2 ** 64]) {
      assert.throws(() => new PieceWriter().uint64(value), `${value}`);
      assert.throws(() => new BinaryWriter().uint64(value), `${value}`);
    }
  });
});
