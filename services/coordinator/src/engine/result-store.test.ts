import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeValue, unpack } from '@regatta/workloads';
import { Shelf } from './byte-log.ts';
import { ResultStore } from './result-store.ts';
import { packOf } from './testing/runs.ts';

const HEADER_BYTES = 24;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'result-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const refuse = (error: Error): never => assert.fail(error);

function storeOf(shelf: Shelf, ranges: readonly (readonly [number, number])[]): ResultStore {
  const store = new ResultStore(shelf, refuse);
  for (const [from, to] of ranges) store.add({ from, to, results: packOf(from, to) });
  return store;
}

/** Each part's range, and the values in it, from a place on. */
function read(store: ResultStore, place = 0): [range: string, values: unknown[]][] {
  const parts: [string, unknown[]][] = [];
  for (let read = store.read(place); read !== undefined; read = store.read(read.next)) {
    const { from, to, results } = read.part;
    parts.push([`${from}..${to}`, unpack(results).map(decodeValue)]);
  }
  return parts;
}

const RANGES = [
  [4, 6],
  [0, 1],
  [1, 4],
] as const;
const PARTS = [
  ['4..6', ['task 4', 'task 5']],
  ['0..1', ['task 0']],
  ['1..4', ['task 1', 'task 2', 'task 3']],
];

describe('results that are kept', () => {
  it('are read in the order of their commits, each from where the one before says', () => {
    const store = storeOf(new Shelf(directory, 1e6), RANGES);
    assert.deepEqual(read(store), PARTS);
    const second = store.read(store.read(0)!.next)!;
    assert.deepEqual(read(store, second.next), PARTS.slice(2));
  });

  it('end at the last that is there; what comes later is read from that place on', () => {
    const store = storeOf(new Shelf(directory, 1e6), [[0, 2]]);
    const { next } = store.read(0)!;
    assert.equal(store.read(next), undefined);
    store.add({ from: 2, to: 3, results: packOf(2, 3) });
    assert.deepEqual(read(store, next), [['2..3', ['task 2']]]);
  });

  it('may be of tasks beyond what 32 bits count', () => {
    const store = new ResultStore(new Shelf(directory, 1e6), refuse);
    store.add({ from: 2 ** 33, to: 2 ** 33 + 1, results: packOf(0, 1) });
    assert.deepEqual(read(store), [[`${2 ** 33}..${2 ** 33 + 1}`, ['task 0']]]);
  });

  it('are read the same while they are moved to disk, and from there', async () => {
    const shelf = new Shelf(directory, 1e6);
    const store = storeOf(shelf, RANGES);
    store.spillOrDrop();
    assert.deepEqual(read(store), PARTS);
    for (const giveUpAt = performance.now() + 8_000; store.bytesInMemory > 0; await turn()) {
      assert.ok(performance.now() < giveUpAt, 'waited in vain for a write to end');
    }
    assert.deepEqual(read(store), PARTS);
    assert.equal(shelf.diskBytes, store.bytes);
  });

  it('cost their bytes and a header, never a thing for each task', () => {
    const shelf = new Shelf(directory, 1e6);
    const store = storeOf(shelf, [[0, 100]]);
    const bytes = HEADER_BYTES + packOf(0, 100).byteLength;
    assert.deepEqual([store.bytes, store.bytesInMemory, shelf.memoryBytes], [bytes, bytes, bytes]);
  });
});

describe('results that were dropped', () => {
  it('cost nothing, cannot be read, and take no more', () => {
    const shelf = new Shelf(directory, 1e6);
    const store = storeOf(shelf, RANGES);
    assert.equal(store.dropped, false);
    store.drop();
    store.drop();
    store.add({ from: 6, to: 7, results: packOf(6, 7) });
    assert.deepEqual([store.dropped, store.bytes, store.bytesInMemory, store.read(0)], [true, 0, 0, undefined]);
    assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [0, 0]);
  });
});

describe('results that cannot be written', () => {
  it('are told of, and stay to be read until their room is needed', () => {
    const failures: Error[] = [];
    const store = new ResultStore(new Shelf(join(directory, 'gone'), 1e6), (error) => void failures.push(error));
    for (const [from, to] of RANGES) store.add({ from, to, results: packOf(from, to) });
    assert.deepEqual(read(store), PARTS);
    store.spillOrDrop();
    assert.deepEqual([failures.length, store.dropped, store.bytesInMemory], [1, true, 0]);
  });
});
