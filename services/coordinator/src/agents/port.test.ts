import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import type { ConnectResponse, Work } from '@regatta/proto/node';
import { limits } from '../engine/limits.ts';
import { type NodeStream, StreamPort } from './port.ts';

/** A stream to nobody: remembers what is written, and is full when told to be. */
class FakeStream extends EventEmitter {
  readonly frames: ConnectResponse['frame'][] = [];
  ended = false;
  #full = false;

  write({ frame }: ConnectResponse): boolean {
    assert.ok(!this.ended, 'written to after its end');
    this.frames.push(frame);
    return !this.#full;
  }

  end(): void {
    assert.ok(!this.ended, 'ended twice');
    this.ended = true;
  }

  fill(): void {
    this.#full = true;
  }

  drain(): void {
    this.#full = false;
    this.emit('drain');
  }

  /** Only the orders, frame by frame. */
  get work(): Work[] {
    return this.frames.flatMap((frame) => (frame?.$case === 'work' ? [frame.value] : []));
  }
}

let stream: FakeStream;
let port: StreamPort;
/** Attempts that were taken back. */
let unsent: number[];

beforeEach(() => {
  stream = new FakeStream();
  unsent = [];
  port = new StreamPort(stream as unknown as NodeStream, ({ attemptId }) => void unsent.push(attemptId));
});

const shape = { processes: 1, threads: 1, concurrency: 1 };
const openOf = (runId: string, paramsJson = '{}') => ({
  runId,
  workload: 'noop',
  paramsJson,
  shape,
  taskTimeoutMs: 0,
  polite: false,
});

function assign(attemptId: number, bytes = 0): void {
  const inputs = bytes === 0 ? undefined : () => new Uint8Array(bytes).fill(attemptId);
  port.assign({ attemptId, runId: 'a', from: attemptId, to: attemptId + 1, attempt: 1, alone: false, inputs });
}

/** What is ordered goes out when the turn's own work is done. */
const microtask = (): Promise<void> => Promise.resolve();
const attempts = (): number[][] => stream.work.map(({ assign }) => assign.map(({ attemptId }) => attemptId));

describe('orders of one turn', () => {
  it('go in one frame, in the order that they were given', async () => {
    port.open(openOf('a'));
    for (const id of [3, 1, 2]) assign(id);
    port.open(openOf('b'));
    for (const id of [9, 8]) port.cancel(id);
    for (const id of ['d', 'c']) port.close(id);
    assert.deepEqual(attempts(), []);
    await microtask();
    const work = stream.work[0]!;
    assert.equal(stream.work.length, 1);
    assert.deepEqual(
      work.open.map(({ runId }) => runId),
      ['a', 'b'],
    );
    assert.deepEqual(attempts(), [[3, 1, 2]]);
    assert.deepEqual([work.cancel, work.close, work.drain], [[9, 8], ['d', 'c'], undefined]);
  });

  it('of the next turn go in the next', async () => {
    assign(1);
    await microtask();
    assign(2);
    await microtask();
    assert.deepEqual(attempts(), [[1], [2]]);
  });

  it('send the bytes of inputs as they are, also where they are a part of others', async () => {
    const inputs = Uint8Array.of(0, 1, 2, 3).subarray(1, 3);
    port.assign({ attemptId: 1, runId: 'a', from: 0, to: 1, attempt: 1, alone: false, inputs: () => inputs });
    await microtask();
    assert.deepEqual([...stream.work[0]!.assign[0]!.inputs], [1, 2]);
  });
});

describe('orders with inputs', () => {
  const third = Math.ceil(limits.frameBytes / 3);

  it('are cut into frames by their bytes, and keep their order', async () => {
    for (let id = 0; id < 7; id++) assign(id, third);
    await microtask();
    assert.deepEqual(attempts(), [[0, 1], [2, 3], [4, 5], [6]]);
  });

  it('larger than a frame go alone', async () => {
    for (const [id, bytes] of [1, 2 * limits.frameBytes, 1].entries()) assign(id, bytes);
    await microtask();
    assert.deepEqual(attempts(), [[0], [1], [2]]);
  });

  it('are counted beside them: a frame of many small orders is bounded, too', async () => {
    for (let id = 0; id < limits.frameBytes / 8; id++) assign(id);
    await microtask();
    assert.ok(stream.work.length > 1, 'all in one frame');
    assert.deepEqual(attempts().flat(), [...Array(limits.frameBytes / 8).keys()]);
  });

  it('count what a run is opened with, too', async () => {
    port.open(openOf('a', 'x'.repeat(limits.frameBytes)));
    assign(1, 1);
    await microtask();
    assert.deepEqual(attempts(), [[], [1]]);
  });
});

describe('while the node has as many bytes of inputs as it may', () => {
  const most = limits.inputBytesInFlightMax;

  /** Not filled: nobody looks at what is in them. */
  function assignLarge(attemptId: number, bytes: number): { read: boolean } {
    const inputs = { read: false };
    const read = () => {
      inputs.read = true;
      return new Uint8Array(bytes);
    };
    port.assign({ attemptId, runId: `r${attemptId}`, from: 0, to: 1, attempt: 1, alone: false, inputs: read });
    return inputs;
  }

  it('holds chunks with inputs back, unread, until enough of its attempts have ended', async () => {
    const [, second, third, fourth] = [most / 2, most / 2, 1, 1].map((bytes, id) => assignLarge(id, bytes));
    assign(9);
    await microtask();
    assert.deepEqual(attempts().flat().sort(), [0, 1, 9]);
    assert.deepEqual([second!.read, third!.read, fourth!.read], [true, false, false]);
    port.ended(9);
    await microtask();
    assert.equal(third!.read, false);
    port.ended(1);
    port.ended(1);
    await microtask();
    assert.deepEqual(attempts().flat().slice(-2), [2, 3]);
  });

  it('takes back what was cancelled, closed or drained meanwhile, and tells of each', async () => {
    const read = [most, 1, 1, 1, 1].map((bytes, id) => assignLarge(id, bytes));
    await microtask();
    port.cancel(1);
    port.close('r2');
    await microtask();
    assert.deepEqual(unsent, [1, 2]);
    assert.deepEqual(stream.work.at(-1)!.cancel, []);
    port.drain(false);
    assert.deepEqual(unsent, [1, 2, 3, 4]);
    port.ended(0);
    await microtask();
    assert.deepEqual(attempts().flat(), [0]);
    assert.ok(read.slice(1).every((inputs) => !inputs.read));
  });

  it('cancels what the node has', async () => {
    assignLarge(1, most);
    await microtask();
    port.cancel(1);
    await microtask();
    assert.deepEqual([stream.work.at(-1)!.cancel, unsent], [[1], []]);
  });
});

describe('an order to drain', () => {
  it('goes to the node', async () => {
    port.drain(false);
    await microtask();
    assert.deepEqual(stream.work[0]!.drain, { handBack: false });
  });

  // A node obeys it last in its frame: what came after it would be handed back, too.
  it('is the last of its frame: what is ordered after it does not count among what was there', async () => {
    assign(1);
    port.drain(true);
    assign(2);
    port.drain(false);
    await microtask();
    assert.deepEqual(attempts(), [[1], [2]]);
    assert.deepEqual(
      stream.work.map(({ drain }) => drain),
      [{ handBack: true }, { handBack: false }],
    );
  });
});

describe('while the stream is full', () => {
  it('holds orders, gathers them, and sends them when it has drained', async () => {
    stream.fill();
    assign(1);
    await microtask();
    for (const id of [2, 3]) {
      assign(id);
      await microtask();
    }
    assert.deepEqual(attempts(), [[1]]);
    stream.drain();
    assert.deepEqual(attempts(), [[1], [2, 3]]);
    assign(4);
    await microtask();
    assert.deepEqual(attempts(), [[1], [2, 3], [4]]);
  });

  it('sends no more frames than it takes', async () => {
    stream.fill();
    for (let id = 0; id < 4; id++) assign(id, limits.frameBytes);
    await microtask();
    assert.equal(stream.work.length, 1);
    stream.emit('drain');
    assert.equal(stream.work.length, 2);
    stream.drain();
    assert.deepEqual(attempts(), [[0], [1], [2], [3]]);
  });
});

describe('after its end', () => {
  it('sends nothing more, and ends once', async () => {
    assign(1);
    port.end();
    port.end();
    port.hangUp('too late');
    assign(2);
    await microtask();
    stream.emit('drain');
    assert.deepEqual([stream.frames, stream.ended], [[], true]);
  });

  it('for a reason, tells the reason and drops what is held', async () => {
    stream.fill();
    for (const id of [1, 2]) {
      assign(id);
      await microtask();
    }
    port.hangUp('the same node has connected anew');
    stream.drain();
    const refusal = { code: 'SUPERSEDED', message: 'the same node has connected anew' };
    assert.deepEqual(stream.frames.slice(1), [{ $case: 'refusal', value: refusal }]);
    assert.ok(stream.ended);
  });
});
