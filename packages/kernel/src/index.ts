export { assert, InvariantError, unreachable } from './assert.ts';
export { counted } from './counted.ts';
export { messageOf, RegattaError, stackOf } from './errors.ts';
export { MinHeap } from './heap.ts';
export { defineLimits, groupOf, inGroup, type LimitView, limit } from './limits.ts';
export { lengthOf, type Range, RangeSet } from './range.ts';
export { mixSeed, Rng } from './rng.ts';
export { median } from './stats.ts';
