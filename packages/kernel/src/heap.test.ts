import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MinHeap } from './heap.ts';

const identity = (value: number): number => value;

describe('a heap', () => {
  it('gives out the least of what it holds, whatever was pushed and popped before', () => {
    const pop = fc.constant('pop' as const);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: -20, max: 20 }), pop), { maxLength: 200 }), (steps) => {
        const heap = new MinHeap<number>(identity);
        const model: number[] = [];
        for (const step of steps) {
          if (step === 'pop') assert.equal(heap.pop(), model.shift());
          else {
            heap.push(step);
            model.push(step);
            model.sort((a, b) => a - b);
          }
          assert.equal(heap.size, model.length);
          assert.equal(heap.peek(), model[0]);
        }
      }),
    );
  });

  it('gives out each item once, with those of equal keys among them', () => {
    const items = Array.from({ length: 100 }, (_, id) => ({ id, at: id % 3 }));
    const heap = new MinHeap<(typeof items)[number]>((item) => item.at);
    for (const item of items) heap.push(item);
    const out = items.map(() => heap.pop()!);
    assert.deepEqual(
      out.map(({ at }) => at),
      items.map(({ at }) => at).sort(),
    );
    assert.equal(new Set(out).size, 100);
  });

  it('gives out its items as another does that was filled with them in the order of that one', () => {
    const items = Array.from({ length: 200 }, (_, id) => ({ id, at: (id * 7) % 5 }));
    const heap = new MinHeap<(typeof items)[number]>((item) => item.at);
    for (const item of items) heap.push(item);
    for (let i = 0; i < 50; i++) heap.pop();
    const copy = new MinHeap<(typeof items)[number]>((item) => item.at);
    for (const item of heap.items()) copy.push(item);
    while (heap.size > 0) assert.equal(copy.pop(), heap.pop());
    assert.equal(copy.size, 0);
  });

  it('gives out nothing when it is empty', () => {
    const heap = new MinHeap<number>(identity);
    assert.equal(heap.pop(), undefined);
    assert.equal(heap.peek(), undefined);
    assert.equal(heap.size, 0);
  });
});
