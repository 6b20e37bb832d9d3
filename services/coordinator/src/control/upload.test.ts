import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { RegattaError } from '@regatta/kernel';
import { pack } from '@regatta/workloads';
import { Engine } from '../engine/engine.ts';
import { limits } from '../engine/limits.ts';
import { packOf, requestFor } from '../engine/testing/runs.ts';
import { type UploadFrame, Uploads } from './upload.ts';

let engine: Engine;
let uploads: Uploads;

beforeEach(() => {
  engine = new Engine({ spillDirectory: '/nowhere', noProgressMs: 60_000, onBroken: () => {}, onStuck: () => {} });
  uploads = new Uploads(() => engine);
});
afterEach(() => mock.restoreAll());

const runOf = (tasks: number, over = {}): UploadFrame => ({ kind: 'run', request: requestFor({ tasks, ...over }) });
const inputsOf = (from: number, to: number): UploadFrame => ({ kind: 'inputs', pack: packOf(from, to) });
const rawInputs = (bytes: Uint8Array): UploadFrame => ({ kind: 'inputs', pack: bytes });

/** A client that says this and then ends, or breaks off. */
const sourceOf = (frames: readonly UploadFrame[], gone = false) => ({
  frames: (async function* () {
    yield* frames;
  })(),
  gone: () => gone,
  giveUp: () => assert.fail('given up'),
});

/** A client that says what it is told to, when it is told to. */
class Slow {
  readonly #said: UploadFrame[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();
  givenUp = false;

  say(...frames: UploadFrame[]): void {
    this.#said.push(...frames);
    this.#wake.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  readonly gone = (): boolean => false;
  readonly giveUp = (): void => {
    this.givenUp = true;
    this.end();
  };

  get frames(): AsyncIterable<UploadFrame> {
    return this.#frames();
  }

  async *#frames(): AsyncIterable<UploadFrame> {
    for (;;) {
      for (let next = this.#said.shift(); next !== undefined; next = this.#said.shift()) yield next;
      if (this.#ended) return;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
}

async function refusal(receiving: Promise<string>): Promise<[code: string, message: string]> {
  try {
    await receiving;
  } catch (thrown) {
    assert.ok(thrown instanceof RegattaError, String(thrown));
    assert.doesNotMatch(thrown.message, /\n/);
    return [thrown.code, thrown.message];
  }
  return assert.fail('nothing was refused');
}

/** Nothing is left of it: no run, no bytes. */
function assertNothingKept(): void {
  const { memoryBytes, diskBytes } = engine.shelf;
  assert.deepEqual([memoryBytes, diskBytes, engine.runs().length], [0, 0, 0]);
}

describe('a run that comes with its inputs', () => {
  it('is submitted when the last of them is here', async () => {
    const id = await uploads.receive(sourceOf([runOf(5), inputsOf(0, 3), inputsOf(3, 5)]));
    const run = engine.run(id);
    assert.deepEqual([run.state, run.request.tasks, run.inputs?.tasks, run.inputs?.cuts], ['waiting', 5, 5, [3]]);
    assert.equal(engine.shelf.memoryBytes, run.inputs?.bytes);
  });

  it('may end and leave its inputs no more', async () => {
    const id = await uploads.receive(sourceOf([runOf(2), inputsOf(0, 2)]));
    engine.cancel(id, 'enough');
    assert.ok(engine.run(id).ended);
    assert.equal(engine.shelf.memoryBytes, 0);
  });
});

describe('what makes no sense', () => {
  const table: [string, UploadFrame[], RegExp, string?][] = [
    ['nothing at all', [], /^inputs: it ended before it began$/],
    ['inputs before the run', [inputsOf(0, 1), runOf(1)], /^inputs: the first message must be the run$/],
    ['an unknown message first', [{ kind: 'unknown' }], /^inputs: the first message must be the run$/],
    ['a second run', [runOf(2), inputsOf(0, 1), runOf(2)], /^inputs: after the run all messages must be inputs$/],
    ['an unknown message', [runOf(1), inputsOf(0, 1), { kind: 'unknown' }], /^inputs: after the run all messages must/],
    ['a run that would be refused without inputs, too', [runOf(0)], /^tasks is 0; /, 'BAD_RUN'],
    ['fewer inputs than tasks', [runOf(3), inputsOf(0, 2)], /^it has 3 tasks and inputs for 2$/],
    ['a run and nothing else', [runOf(3)], /^it has 3 tasks and inputs for 0$/],
    [
      'more inputs than tasks',
      [runOf(3), inputsOf(0, 2), inputsOf(2, 4)],
      /^it has 3 tasks and more inputs than that$/,
    ],
    [
      'what is no pack',
      [runOf(3), inputsOf(0, 1), rawInputs(new Uint8Array(9))],
      /^inputs from task 1 on cannot be read$/,
    ],
    ['an empty part', [runOf(3), inputsOf(0, 1), rawInputs(pack([]))], /^inputs from task 1 on are an empty part$/],
  ];
  for (const [what, frames, message, code = 'BAD_INPUTS'] of table) {
    it(`is refused for ${what}, in one line, and nothing of it is kept`, async () => {
      const [said, why] = await refusal(uploads.receive(sourceOf(frames)));
      assert.equal(said, code);
      assert.match(why, message);
      assertNothingKept();
    });
  }

  it('is refused before the client has come to an end', async () => {
    const client = new Slow();
    client.say(runOf(1), inputsOf(0, 1), inputsOf(1, 2));
    const [, message] = await refusal(uploads.receive(client));
    assert.match(message, /more inputs than that/);
    assertNothingKept();
  });
});

describe('a client that goes away', () => {
  it('is told apart from one that ends, though it had sent everything, and nothing is kept', async () => {
    const [code, message] = await refusal(uploads.receive(sourceOf([runOf(2), inputsOf(0, 2)], true)));
    assert.deepEqual([code, message], ['BAD_INPUTS', 'inputs: the client went away before the last of its inputs']);
    assertNothingKept();
  });

  it('with an error leaves nothing, either', async () => {
    const frames = (async function* () {
      yield* [runOf(2), inputsOf(0, 1)];
      throw new Error('connection reset');
    })();
    await assert.rejects(uploads.receive({ ...sourceOf([]), frames }), /connection reset/);
    assertNothingKept();
  });
});

describe('a client that falls silent', () => {
  it('is given up, and nothing of it is kept', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const client = new Slow();
    client.say(runOf(3), inputsOf(0, 1));
    const receiving = refusal(uploads.receive(client));
    mock.timers.tick(limits.uploadSilenceMs - 1);
    assert.equal(client.givenUp, false);
    mock.timers.tick(1);
    assert.deepEqual(await receiving, ['BAD_INPUTS', 'inputs: nothing came for 30000 ms']);
    mock.timers.reset();
    assertNothingKept();
  });

  it('for less than that time after each message is not', async () => {
    // Node's own mock timers do not know refresh().
    const timer = { refresh: mock.fn() };
    mock.method(globalThis, 'setTimeout', () => timer);
    const cleared = mock.method(globalThis, 'clearTimeout', () => {});
    await uploads.receive(sourceOf([runOf(3), inputsOf(0, 1), inputsOf(1, 3)]));
    assert.equal(timer.refresh.mock.callCount(), 3);
    assert.deepEqual(cleared.mock.calls[0]!.arguments, [timer]);
  });
});

describe('more clients at a time than may be', () => {
  it('are refused, until another has ended: well or not', async () => {
    const clients = Array.from({ length: limits.uploadsMax }, () => new Slow());
    const receiving = clients.map((client) => {
      client.say(runOf(1));
      return uploads.receive(client);
    });
    const [code, message] = await refusal(uploads.receive(sourceOf([runOf(1), inputsOf(0, 1)])));
    assert.deepEqual([code, message], ['TOO_MANY_UPLOADS', '64 clients send inputs already; try again later']);
    clients[0]!.say(inputsOf(0, 1));
    clients[0]!.end();
    clients[1]!.end();
    await receiving[0];
    await refusal(receiving[1]!);
    for (const client of clients.slice(2, 4)) client.say(inputsOf(0, 1));
    for (let i = 0; i < 2; i++) await uploads.receive(sourceOf([runOf(1), inputsOf(0, 1)]));
    for (const client of clients) client.end();
    await Promise.allSettled(receiving);
  });
});
