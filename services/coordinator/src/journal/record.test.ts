import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Assembler, isFilter, isKind, type Mark, markOf, partId, partsOf, takeId } from './record.ts';

const part = (record: number, index: number, parts: number, term = 7): Mark =>
  markOf(partId(term, record, index, parts))!;
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What comes of parts in that order, as text. */
const assembled = (...given: [Mark, string][]): string[] => {
  const assembler = new Assembler();
  return given.flatMap(([mark, text]) => {
    const body = assembler.add(mark, bytes(text));
    return body === undefined ? [] : [Buffer.from(body).toString()];
  });
};

describe('an id', () => {
  it('says what it is the id of', () => {
    assert.deepEqual(markOf(partId(12, 3, 0, 2)), { kind: 'part', term: 12, record: 3, part: 0, parts: 2 });
    assert.deepEqual(markOf(takeId('01234567-89ab-cdef-0123-456789abcdef')), { kind: 'take' });
  });

  it('that is not ours says nothing', () => {
    for (const id of [
      '',
      'x',
      'regatta.1.2.3',
      'regatta.1.2.2.2',
      'regatta.1.2.0.0',
      'regatta.a.1.0.1',
      'regatta.take.x',
    ]) {
      assert.equal(markOf(id), undefined, id);
    }
  });
});

describe('parts', () => {
  it('are as large as they may be, and one for nothing', () => {
    assert.deepEqual(
      [0, 1, 4, 5, 9].map((size) => partsOf(new Uint8Array(size), 4).map(({ byteLength }) => byteLength)),
      [[0], [1], [4], [4, 1], [4, 4, 1]],
    );
  });

  it('become one record again', () => {
    const pieces: [Mark, string][] = [
      [part(1, 0, 3), 'a'],
      [part(1, 1, 3), 'b'],
      [part(1, 2, 3), 'c'],
      [part(2, 0, 1), 'd'],
    ];
    assert.deepEqual(assembled(...pieces), ['abc', 'd']);
  });

  it('without their beginning, end or middle are dropped', () => {
    assert.deepEqual(assembled([part(1, 1, 3), 'b'], [part(1, 2, 3), 'c'], [part(2, 0, 1), 'd']), ['d']);
    assert.deepEqual(assembled([part(1, 0, 2), 'a'], [part(2, 0, 2), 'c'], [part(2, 1, 2), 'd']), ['cd']);
    assert.deepEqual(assembled([part(1, 0, 3), 'a'], [part(1, 2, 3), 'c']), []);
    assert.deepEqual(assembled([part(1, 0, 2), 'a'], [part(2, 0, 1), 'x'], [part(1, 1, 2), 'b']), ['x']);
  });

  it('of another record or another term complete nothing', () => {
    assert.deepEqual(assembled([part(1, 0, 2), 'a'], [part(2, 1, 2), 'b']), []);
    assert.deepEqual(assembled([part(1, 0, 2, 7), 'a'], [part(1, 1, 2, 8), 'b']), []);
    assert.deepEqual(assembled([part(1, 0, 2), 'a'], [{ kind: 'take' }, 't'], [part(1, 1, 2), 'b']), ['t']);
  });
});

it('a kind is one or more tokens, a filter may leave some open', () => {
  for (const kind of ['events', 'results.run-a', 'a_b.c.9']) assert.ok(isKind(kind) && isFilter(kind), kind);
  for (const filter of ['>', 'results.>', '*', 'results.*.x']) assert.ok(!isKind(filter) && isFilter(filter), filter);
  for (const neither of ['', '.', 'a.', 'a..b', 'a b', '>.a', 'a>', 'a\r\nb'])
    assert.ok(!isKind(neither) && !isFilter(neither));
});
