import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeValue, pack } from '@regatta/workloads';
import { type Task, work } from './testing/lane-work.ts';

const inputOf: Task = ({ input }) => input;

describe('a chunk with inputs', () => {
  it('gives each task its own, whatever they are and wherever the chunk begins', async () => {
    const inputs = [1, 'two', { three: [3] }, Uint8Array.of(4), undefined];
    const { values, failures } = await work(inputOf, { from: 100, to: 105, inputs: pack(inputs.map(encodeValue)) });
    assert.deepEqual([values, failures], [inputs, []]);
  });

  it('gives bytes without a copy of them', async () => {
    const inputs = pack([encodeValue(new Uint8Array(100_000))]);
    let buffer: unknown;
    const task: Task = ({ input }) => {
      buffer = (input as Uint8Array).buffer;
    };
    await work(task, { to: 1, inputs });
    assert.equal(buffer, inputs.buffer);
  });

  it('counts the time to read them as time to serialize', async () => {
    const inputs = pack([encodeValue(Array.from({ length: 200_000 }, (_, i) => ({ i })))]);
    const { news } = await work(() => 1, { to: 1, inputs });
    assert.ok(news[0]!.serializeMs > 1, `${news[0]!.serializeMs} ms`);
    assert.ok(news[0]!.wallUs[0]! / 1000 < news[0]!.serializeMs);
  });

  for (const [what, entry] of [
    ['is of an unknown kind', Uint8Array.of(9, 9)],
    ['is cut short', encodeValue({ a: 'long enough' }).subarray(0, 6)],
    ['is nothing', new Uint8Array(0)],
  ] as const) {
    it(`fails a task alone whose input ${what}, and does not run it`, async () => {
      const ran: number[] = [];
      const inputs = pack([encodeValue(0), entry, encodeValue(2)]);
      const task: Task = ({ task, input }) => {
        ran.push(task);
        return input;
      };
      const { values, failures, news } = await work(task, { to: 3, inputs });
      assert.deepEqual([values, ran, news.at(-1)!.end.kind], [[0, 'none', 2], [0, 2], 'completed']);
      assert.deepEqual(
        failures.map(({ task, code }) => [task, code]),
        [[1, 'INPUT_UNREADABLE']],
      );
      assert.equal(news.at(-1)!.wallUs.length, 3);
    });
  }
});

describe('a chunk without inputs', () => {
  it('gives its tasks none', async () => {
    const { values } = await work(({ input }) => input === undefined, { to: 2 });
    assert.deepEqual(values, [true, true]);
  });
});
