import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { type ConnectRequest, type ConnectResponse, NodeLinkServiceService, type Report } from '@regatta/proto/node';
import { pack } from '@regatta/workloads';
import { pino } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import { NO_TIMING, type Outcome } from '../hosts/work.ts';
import { limits } from '../limits.ts';
import { Desk } from '../politeness/desk.ts';
import { bareNews } from '../worker/messages.ts';
import { Link } from './link.ts';

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** A coordinator that welcomes whoever comes, and writes down what it is told. */
class Coordinator {
  readonly reports: Report[] = [];
  /** What came beside hellos and heartbeats, in order. */
  readonly frames: string[] = [];
  durable = false;
  readonly #server = new Server();
  #stream: Stream | undefined;
  #heard = Promise.withResolvers<void>();

  async listen(): Promise<string> {
    this.#server.addService(NodeLinkServiceService, { connect: (stream: Stream) => this.#connected(stream) });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return `127.0.0.1:${port}`;
  }

  #connected(stream: Stream): void {
    this.#stream = stream;
    stream.on('data', ({ frame }: ConnectRequest) => {
      if (frame?.$case === 'hello')
        this.say({
          protocol: 1,
          incarnation: 1,
          heartbeatMs: 60_000,
          leaseMs: 60_000,
          natsServers: [],
          durable: this.durable,
          resumed: this.durable,
        });
      else if (frame !== undefined) this.frames.push(frame.$case);
      if (frame?.$case === 'report') this.reports.push(frame.value);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
    stream.on('error', () => {});
  }

  say(welcome: {
    protocol: number;
    incarnation: number;
    heartbeatMs: number;
    leaseMs: number;
    natsServers: string[];
    durable: boolean;
    resumed: boolean;
  }): void {
    this.#stream!.write({ frame: { $case: 'welcome', value: welcome } });
  }

  /** The connection, not the server. */
  hangUp(): void {
    this.#stream!.end();
  }

  pause(): void {
    this.#stream!.pause();
  }

  resume(): void {
    this.#stream!.resume();
  }

  order(work: { handBack?: boolean; cancel?: number[]; acknowledged?: number }): void {
    const drain = work.handBack === undefined ? undefined : { handBack: work.handBack };
    const value = {
      open: [],
      assign: [],
      cancel: work.cancel ?? [],
      close: [],
      drain,
      pull: [],
      stopPull: [],
      acknowledged: work.acknowledged ?? 0,
    };
    this.#stream!.write({ frame: { $case: 'work', value } });
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    for (const giveUpAt = AbortSignal.timeout(10_000); !condition(); ) {
      const gaveUp = once(giveUpAt, 'abort').then(() => assert.fail(`waited in vain until ${what}`));
      await Promise.race([this.#heard.promise, gaveUp]);
    }
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

let coordinator: Coordinator;
let link: Link;
let running: Promise<void>;
/** What the executor was told, in order. */
let told: string[];
/** Whether it was told to hold, each time. */
let held: boolean[];

beforeEach(async () => {
  told = [];
  held = [];
  coordinator = new Coordinator();
  const executor = {
    reset: () => void told.push('reset'),
    cancel: (attemptId: number) => void told.push(`cancel ${attemptId}`),
    handBack: (all: boolean) => void told.push(`hand back ${all}`),
    hold: (on: boolean) => void held.push(on),
    openRuns: () => [],
    pushedAttempts: [],
    desk: new Desk(() => {}),
  } as unknown as Executor;
  const machine = { id: 'm', hostname: 'h', osCores: 1, quotaCores: 1, quotaLimited: false, memoryBytes: 1, cores: 1 };
  const welcomed = Promise.withResolvers<void>();
  link = new Link({
    addresses: [await coordinator.listen()],
    introduction: { nodeId: 'a', machine, workloads: [], version: '', limits: [] },
    executor,
    queues: { found: () => {}, pull: () => {}, stop: () => {}, stopAll: () => {} },
    pulse: () => ({ rssBytes: 0, hosts: 0, throttledMs: 0, pulled: 0, queueComplaint: '' }),
    log: pino({ level: 'silent' }),
    onWelcome: () => welcomed.resolve(),
  });
  running = link.run();
  await welcomed.promise;
});

afterEach(async () => {
  link.close();
  await running;
  coordinator.stop();
});

/** Of one task, with a result of so many bytes or a failure of so many characters. */
function outcome(attemptId: number, { bytes = 0, characters = 0 }): Outcome {
  const failures = characters > 0 ? [{ task: 0, code: 'TASK_THREW', message: 'x'.repeat(characters), stack: '' }] : [];
  const { wallUs, cpuUs } = bareNews(attemptId, 0, { kind: 'completed' }, failures);
  const results = pack([new Uint8Array(bytes)]);
  const timing = { ...NO_TIMING, wallUs, cpuUs };
  return { attemptId, runId: 'r', from: 0, to: 1, results, failures, timing, end: { kind: 'completed' } };
}

const reported = (): number[][] => coordinator.reports.map(({ outcomes }) => outcomes.map((one) => one.attemptId));
const heard = (count: number): Promise<void> =>
  coordinator.until(() => reported().flat().length >= count, `${count} outcomes were reported`);

describe('outcomes', () => {
  it('of one turn go in one frame, in their order', async () => {
    for (const id of [3, 1, 2]) link.report(outcome(id, { bytes: 10 }));
    await heard(3);
    assert.deepEqual(reported(), [[3, 1, 2]]);
  });

  for (const what of ['bytes', 'characters'] as const) {
    it(`are cut into frames by their ${what === 'bytes' ? 'results' : 'failures'}, and keep their order`, async () => {
      const most = limits.reportBytes;
      const sizes = [1, 2 * most, 1, most / 2, most, most / 4, 1];
      for (const [id, size] of sizes.entries()) link.report(outcome(id, { [what]: size }));
      await heard(sizes.length);
      assert.deepEqual(reported().flat(), [...sizes.keys()]);
      // A frame is full with the outcome that fills it.
      assert.deepEqual(reported(), [
        [0, 1],
        [2, 3, 4],
        [5, 6],
      ]);
    });
  }

  it('hold the work while many bytes of them wait, and let it go on when half of them are gone', async () => {
    const most = limits.outboxBytesMax;
    link.report(outcome(0, { bytes: 1 }));
    await heard(1);
    assert.ok(!held.includes(true), 'held for next to nothing');
    coordinator.pause();
    let sent = 1;
    while (!held.at(-1)) {
      assert.ok(sent * limits.reportBytes < 4 * most, 'not held');
      link.report(outcome(sent++, { bytes: limits.reportBytes }));
      await new Promise(setImmediate);
    }
    coordinator.resume();
    await heard(sent);
    assert.equal(held.at(-1), false);
  });

  it('go with late failures, which are bounded', async () => {
    for (let task = 0; task < 1_500; task++) link.reportLate({ runId: 'r', task, message: 'late', stack: '' });
    link.report(outcome(1, {}));
    await heard(1);
    const late = coordinator.reports.flatMap((report) => report.late);
    assert.deepEqual(
      late.map(({ task }) => task),
      [...Array(1_000).keys()],
    );
  });
});

describe('an order to drain', () => {
  it('is obeyed after the others of its frame', async () => {
    coordinator.order({ handBack: true, cancel: [5] });
    coordinator.order({ handBack: false });
    coordinator.order({ cancel: [6] });
    link.report(outcome(1, {}));
    await coordinator.until(() => told.length >= 4 || coordinator.reports.length > 0, 'a frame has come back');
    for (const giveUpAt = performance.now() + 5_000; told.length < 4; ) {
      assert.ok(performance.now() < giveUpAt, 'waited in vain for the orders');
      await new Promise(setImmediate);
    }
    assert.deepEqual(told, ['cancel 5', 'hand back true', 'hand back false', 'cancel 6']);
  });
});

describe('a node that leaves', () => {
  const leaving = (times: number): Promise<void> =>
    coordinator.until(() => coordinator.frames.filter((frame) => frame === 'leaving').length >= times, 'it says so');

  it('says so before what it lets go of, and is settled once it has been ordered to drain', async () => {
    link.leave();
    link.report(outcome(1, {}));
    await heard(1);
    assert.deepEqual(coordinator.frames, ['leaving', 'report']);
    assert.equal(link.settled, false);
    coordinator.order({ handBack: false });
    await coming(() => link.settled, 'it to be settled');
  });

  it('says so again on its next connection, and is not settled before it is answered there', async () => {
    link.leave();
    await leaving(1);
    coordinator.order({ handBack: false });
    await coming(() => link.settled, 'it to be settled');
    coordinator.hangUp();
    await leaving(2);
    assert.equal(link.settled, false);
    coordinator.order({ handBack: false });
    await coming(() => link.settled, 'it to be settled again');
  });

  it('is not settled while what it told could be lost with its coordinator', async () => {
    coordinator.durable = true;
    coordinator.hangUp();
    await coming(() => link.connected && link.durable, 'a durable coordinator');
    link.report(outcome(1, {}));
    link.leave();
    await heard(1);
    coordinator.order({ handBack: false, acknowledged: 0 });
    await coming(() => told.includes('hand back false'), 'the order to drain');
    assert.equal(link.settled, false);
    coordinator.order({ acknowledged: 1 });
    await coming(() => link.settled, 'it to be settled');
  });

  it('goes once its goodbye was heard, and does not come back', async () => {
    link.leave();
    await leaving(1);
    let gone = false;
    const going = link.goodbye().then(() => {
      gone = true;
    });
    await coordinator.until(() => coordinator.frames.includes('goodbye'), 'it says goodbye');
    await new Promise(setImmediate);
    assert.equal(gone, false);
    coordinator.hangUp();
    await going;
    await running;
    assert.deepEqual(coordinator.frames, ['leaving', 'goodbye']);
  });
});

async function coming(holds: () => boolean, what: string): Promise<void> {
  for (const giveUpAt = performance.now() + 10_000; !holds(); await new Promise(setImmediate))
    assert.ok(performance.now() < giveUpAt, `waited in vain for ${what}`);
}
