import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { digestValues } from './digest.ts';
import { decodeValue, encodeValue } from './pack.ts';

describe('a digest', () => {
  it('is the same for equal values whose encodings differ', () => {
    const make = (ms: number): { ms: number } => ({ ms });
    const before = encodeValue(make(5));
    for (let i = 0; i < 10; i++) make(i + 0.5);
    const after = encodeValue(make(5));
    assert.equal(digestValues([decodeValue(before)]), digestValues([decodeValue(after)]));
  });

  it('survives the way through a pack, whatever the value', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }), (value) => {
        let encoded: Uint8Array;
        try {
          encoded = encodeValue(value);
        } catch {
          return;
        }
        assert.equal(digestValues([decodeValue(encoded)]), digestValues([value]));
      }),
    );
  });

  const pairs: [string, unknown, unknown][] = [
    ['a number and its digits', 1, '1'],
    ['a number and a big integer', 1, 1n],
    ['0 and -0', 0, -0],
    ['undefined and null', undefined, null],
    ['a list and the same in a list', [1, 2], [[1, 2]]],
    ['texts cut elsewhere', ['ab', 'c'], ['a', 'bc']],
    ['bytes and a list of them', Uint8Array.of(1, 2), [1, 2]],
    ['bytes and words', Uint8Array.of(1, 0, 0, 0), Uint32Array.of(1)],
    ['an object and its entries', { a: 1 }, ['a', 1]],
  ];
  for (const [what, one, other] of pairs) {
    it(`tells apart ${what}`, () => assert.notEqual(digestValues([one]), digestValues([other])));
  }
});
