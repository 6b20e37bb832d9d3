import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unpack } from '@regatta/workloads';
import { bytesOfOutcomes, messageIdOf } from './codec.ts';
import { cutOutcome, sizeOf } from './cut.ts';
import { chunk } from './testing/coordinator.ts';
import { outcomeOf } from './testing/node.ts';

const BYTES_MAX = 10_000;
const sized = (...sizes: number[]): Buffer[] => sizes.map((size, i) => Buffer.alloc(size, i + 1));
const completed = (...sizes: number[]) =>
  outcomeOf({ ...chunk(0), to: sizes.length }, { kind: 'completed' }, sized(...sizes));

describe('an outcome that is cut', () => {
  it('stays whole where it fits', () => {
    const outcome = completed(10, 20, 30);
    assert.deepEqual(cutOutcome(outcome, BYTES_MAX), [outcome]);
  });

  it('is in pieces that fit on the wire, and together the same', () => {
    const outcome = completed(...Array.from({ length: 300 }, (_, i) => (i * 997) % 4_000));
    const pieces = cutOutcome(outcome, BYTES_MAX);
    for (const piece of pieces)
      assert.ok(bytesOfOutcomes('a'.repeat(63), 2 ** 40, [piece]).byteLength <= BYTES_MAX + 64);
    assert.deepEqual(
      Buffer.concat(pieces.flatMap(({ results }) => unpack(results))),
      Buffer.concat(unpack(outcome.results)),
    );
    assert.deepEqual(
      pieces.flatMap(({ timing }) => [...timing.wallUs]),
      [...outcome.timing.wallUs],
    );
    assert.deepEqual(
      pieces.slice(1).map(({ from }) => from),
      pieces.slice(0, -1).map(({ to }) => to),
    );
  });

  it('tells figures and its end once, with the last piece', () => {
    const pieces = cutOutcome(completed(6_000, 6_000, 6_000), BYTES_MAX);
    assert.deepEqual(
      pieces.map(({ timing, end }) => [timing.cpuMs, end.kind]),
      [
        [0, 'open'],
        [0, 'open'],
        [5, 'completed'],
      ],
    );
  });

  it('keeps failures with their tasks', () => {
    const failure = (task: number) => ({ task, code: 'X', message: 'm'.repeat(2_000), stack: '', retryAfterMs: 0 });
    const outcome = { ...completed(0, 5_000, 0, 0), failures: [failure(0), failure(2), failure(3)] };
    const pieces = cutOutcome(outcome, BYTES_MAX);
    assert.ok(pieces.length > 1);
    for (const { from, to, failures } of pieces) for (const { task } of failures) assert.ok(task >= from && task < to);
    assert.deepEqual(
      pieces.flatMap(({ failures }) => failures.map(({ task }) => task)),
      [0, 2, 3],
    );
  });

  it('has a failure in the place of each result that no piece can hold', () => {
    const pieces = cutOutcome(completed(20_000, 9_000, 30_000, 9_000), BYTES_MAX);
    const failed = pieces.flatMap(({ failures }) => failures.map(({ task, code }) => [task, code]));
    assert.deepEqual(failed, [
      [0, 'RESULT_TOO_LARGE'],
      [2, 'RESULT_TOO_LARGE'],
    ]);
    const sizes = pieces.flatMap(({ results }) => unpack(results).map(({ byteLength }) => byteLength));
    assert.deepEqual(sizes, [0, 9_000, 0, 9_000]);
  });

  it('has room for the words of a loss in each piece', () => {
    const facts = { exit: 1, signal: '', rssBytes: 0, stderrTail: 'é'.repeat(1_000), culprit: undefined };
    const loss = { code: 'HOST_DIED', message: 'm'.repeat(500), ...facts } as const;
    const outcome = { ...completed(4_000, 4_000, 4_000), end: { kind: 'lost', loss } } as const;
    for (const piece of cutOutcome(outcome, BYTES_MAX)) assert.ok(sizeOf(piece) <= BYTES_MAX);
  });
});

describe('the id of a message', () => {
  const [a, b] = [outcomeOf(chunk(0)), outcomeOf(chunk(1))];

  it('is the same for the same news', () => {
    assert.equal(messageIdOf([a]), messageIdOf([{ ...a }]));
    assert.equal(messageIdOf([a, b]), messageIdOf([{ ...a }, { ...b }]));
    assert.equal(messageIdOf([a]), 'r/1/0-10/completed');
  });

  it('is another for other news', () => {
    const others = [[a], [b], [a, b], [b, a], [{ ...a, to: 5 }, b], [a, { ...b, end: { kind: 'stopped' } as const }]];
    assert.equal(new Set(others.map(messageIdOf)).size, others.length);
  });
});
