import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeValue, emptyEntries, encodeValue, Packer, pack, packCount, slicePack, unpack } from './pack.ts';

const cloneable = fc.oneof(
  fc.constant(undefined),
  fc.double(),
  fc.bigInt(),
  fc.uint8Array(),
  fc.string({ unit: 'binary' }),
  fc.object({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
);
const ofAnySize = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 });
const ofOneSize = fc
  .integer({ min: 0, max: 9 })
  .chain((size) => fc.array(fc.uint8Array({ minLength: size, maxLength: size }), { maxLength: 30 }));
const entries = fc.oneof(ofAnySize, ofOneSize);
const bytesOf = (list: readonly Uint8Array[]): Uint8Array[] => list.map((entry) => new Uint8Array(entry));

describe('an encoded value', () => {
  it('decodes to the value', () => {
    fc.assert(fc.property(cloneable, (value) => assert.deepEqual(decodeValue(encodeValue(value)), value)));
  });

  it('decodes from the middle of a larger buffer', () => {
    fc.assert(
      fc.property(cloneable, fc.nat(20), (value, offset) => {
        const encoded = encodeValue(value);
        const larger = new Uint8Array(offset + encoded.byteLength + 3).fill(0xff);
        larger.set(encoded, offset);
        assert.deepEqual(decodeValue(larger.subarray(offset, offset + encoded.byteLength)), value);
      }),
    );
  });

  it('is short for a small whole number', () => {
    for (const value of [0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      assert.equal(encodeValue(value).byteLength, 5);
      assert.ok(Object.is(decodeValue(encodeValue(value)), value));
    }
    for (const value of [2 ** 31, -(2 ** 31) - 1, 0.5, -0]) {
      assert.equal(encodeValue(value).byteLength, 9);
      assert.ok(Object.is(decodeValue(encodeValue(value)), value));
    }
  });

  it('keeps NaN, infinities and the sign of zero', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -0, 0]) {
      assert.ok(Object.is(decodeValue(encodeValue(value)), value));
    }
  });

  it('carries bytes that lie in shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set([1, 2, 3]);
    assert.deepEqual(decodeValue(encodeValue(shared)), Uint8Array.of(1, 2, 3));
  });

  it('shares no memory with the bytes it was decoded from', () => {
    const encoded = encodeValue(Uint8Array.of(7));
    const decoded = decodeValue(encoded);
    encoded.fill(0);
    assert.deepEqual(decoded, Uint8Array.of(7));
  });

  it('is never empty, for an empty entry stands for a failed task (P2)', () => {
    fc.assert(fc.property(cloneable, (value) => assert.ok(encodeValue(value).byteLength > 0)));
    assert.ok(encodeValue(new Uint8Array()).byteLength > 0);
  });

  it('is refused for a value that cannot be cloned', () => {
    assert.throws(() => encodeValue(() => 1), /could not be cloned/);
  });

  it('is refused where its first byte is unknown, or missing', () => {
    assert.throws(() => decodeValue(Uint8Array.of(200, 1)), /begins with byte 200/);
    assert.throws(() => decodeValue(new Uint8Array()), /not an encoded value/);
  });
});

describe('a pack', () => {
  it('gives back its entries, the empty ones too', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const packed = pack(list);
        assert.equal(packCount(packed), list.length);
        assert.deepEqual(bytesOf(unpack(packed)), list);
      }),
    );
  });

  it('is cut into the packs that its parts would have made', () => {
    fc.assert(
      fc.property(entries, fc.nat(30), fc.nat(30), (list, a, b) => {
        const [from, to] = [Math.min(a, b, list.length), Math.min(Math.max(a, b), list.length)];
        assert.deepEqual(slicePack(pack(list), from, to), pack(list.slice(from, to)));
      }),
    );
  });

  it('tells which of its entries are empty', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const empty = list.flatMap((entry, i) => (entry.byteLength === 0 ? [i] : []));
        assert.deepEqual(emptyEntries(pack(list)), empty);
      }),
    );
  });

  it('is refused where it is cut short, wherever that is', () => {
    const packed = pack([Uint8Array.of(1, 2, 3), new Uint8Array(), Uint8Array.of(4)]);
    for (let length = 1; length < packed.byteLength; length++) {
      assert.throws(() => unpack(packed.subarray(0, length)), /not a pack/, `${length} bytes`);
    }
  });

  it('is refused where its table runs backwards', () => {
    const packed = pack([Uint8Array.of(1, 2), Uint8Array.of(3)]);
    packed.writeUInt32LE(4, 3);
    assert.throws(() => unpack(packed), /table is wrong/);
    assert.throws(() => emptyEntries(packed), /table is wrong/);
    assert.throws(() => slicePack(packed, 1, 2), /table is wrong/);
  });
});

describe('a packer', () => {
  it('makes the pack of the encoded values', () => {
    fc.assert(
      fc.property(fc.array(cloneable, { maxLength: 20 }), (values) => {
        const packer = new Packer();
        for (const value of values) packer.add(value);
        assert.deepEqual(packer.finish(), pack(values.map(encodeValue)));
      }),
    );
  });

  it('is empty after a pack was made', () => {
    const packer = new Packer();
    packer.add('first');
    const first = packer.finish();
    packer.add('second');
    assert.deepEqual(unpack(packer.finish()).map(decodeValue), ['second']);
    assert.deepEqual(unpack(first).map(decodeValue), ['first']);
  });

  it('takes back the last value, and any one of them', () => {
    fc.assert(
      fc.property(fc.array(cloneable, { minLength: 2, maxLength: 9 }), fc.nat(), (values, pick) => {
        const blank = pick % (values.length - 1);
        const packer = new Packer();
        for (const value of values) packer.add(value);
        packer.dropLast();
        packer.blank(blank);
        const kept = values.slice(0, -1).map((value, i) => (i === blank ? new Uint8Array(0) : encodeValue(value)));
        assert.deepEqual(packer.finish(), pack(kept));
      }),
    );
  });

  it('adds nothing where a value cannot be cloned', () => {
    const packer = new Packer();
    assert.throws(() => packer.add(() => 1), /could not be cloned/);
    packer.addNone();
    assert.deepEqual(unpack(packer.finish()), [Buffer.alloc(0)]);
  });
});

describe('a pack of entries that are of one size', () => {
  const numbers = (count: number): Buffer => {
    const packer = new Packer();
    for (let i = 0; i < count; i++) packer.add(i);
    return packer.finish();
  };

  it('has no table', () => {
    assert.equal(numbers(1_000).byteLength, 5 * 1_000 + 8);
    assert.equal(slicePack(numbers(1_000), 10, 20).byteLength, 5 * 10 + 8);
  });

  it('has one again when an entry of it is taken back', () => {
    const packer = new Packer();
    for (let i = 0; i < 5; i++) packer.add(i);
    packer.blank(2);
    const packed = packer.finish();
    assert.deepEqual(emptyEntries(packed), [2]);
    assert.deepEqual(
      unpack(packed).map((entry) => (entry.byteLength === 0 ? 'none' : decodeValue(entry))),
      [0, 1, 'none', 3, 4],
    );
  });

  it('is refused where it says another size or count than it has', () => {
    for (const [back, word] of [
      [8, 6],
      [8, 0],
      [8, 0xffff_ffff],
      [4, 0x8000_0000 + 11],
      [4, 0x8000_0000],
      [4, 0xffff_ffff],
    ] as const) {
      const forged = Buffer.from(numbers(10));
      forged.writeUInt32LE(word, forged.byteLength - back);
      for (const read of [unpack, packCount, emptyEntries]) assert.throws(() => read(forged), /not a pack/);
    }
  });
});
