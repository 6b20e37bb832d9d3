import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { Leadership } from './leadership.ts';
import { limits } from './limits.ts';

const CANDIDATE = fileURLToPath(new URL('./testing/candidate.ts', import.meta.url));
/** Besides the lease: for looks, and a busy machine. */
const SLACK_MS = 2_500;
let server: NatsServer;
let bucket: string;
let serial = 0;
const open: Candidate[] = [];
const brokers: Broker[] = [];

before(async () => {
  server = await startNats();
});
after(() => server?.[Symbol.asyncDispose]());
beforeEach(() => {
  bucket = `leader-${++serial}`;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((candidate) => candidate.kill()));
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

/** A process that stands for election, and all that it said. */
class Candidate {
  readonly id: string;
  readonly said: string[] = [];
  readonly #child: ChildProcess;
  #wake: (() => void) | undefined;

  constructor(id: string, at: NatsServer = server) {
    this.id = id;
    this.#child = spawn(process.execPath, [CANDIDATE, at.url, bucket, id], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      this.said.push(...lines);
      this.#wake?.();
    });
    open.push(this);
  }

  /** Waits until it says so, if it has not since `from`. @returns how long that took */
  async says(what: string | RegExp, from = 0, withinMs = 20_000): Promise<number> {
    const begun = performance.now();
    const has = (): boolean =>
      this.said.slice(from).some((line) => (typeof what === 'string' ? line === what : what.test(line)));
    while (!has()) {
      const leftMs = withinMs - (performance.now() - begun);
      assert.ok(leftMs > 0, `${this.id} did not say ${what} but ${JSON.stringify(this.said)}`);
      const given = new AbortController();
      const said = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([said, delay(leftMs, undefined, { signal: given.signal }).catch(() => {})]);
      given.abort();
    }
    return performance.now() - begun;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  get exit(): Promise<unknown> {
    return this.#child.exitCode === null ? once(this.#child, 'exit') : Promise.resolve();
  }
}

/** One that leads and one that stands by. */
async function pair(at: NatsServer = server): Promise<[Candidate, Candidate]> {
  const first = new Candidate('a', at);
  await first.says('elected');
  const second = new Candidate('b', at);
  await second.says('leader: a');
  return [first, second];
}

const saidSoFar = (): number[] => open.map(({ said }) => said.length);

async function someoneIsElected(since: readonly number[]): Promise<void> {
  for (const giveUpAt = performance.now() + 20_000; ; await delay(20)) {
    if (open.some(({ said }, i) => said.slice(since[i]).includes('elected'))) return;
    assert.ok(performance.now() < giveUpAt, 'nobody was elected');
  }
}

describe('with nobody leading', () => {
  it('one of several that come at once is elected, and all follow it', async () => {
    const candidates = ['a', 'b', 'c', 'd'].map((id) => new Candidate(id));
    await Promise.all(candidates.map((each) => each.says(/^leader: [a-d]$/)));
    // Time enough for a second one to take it for its own.
    await delay(limits.renewMs);
    const elected = candidates.filter(({ said }) => said.includes('elected'));
    assert.equal(elected.length, 1);
    for (const { said } of candidates)
      assert.equal(
        said.findLast((line) => line.startsWith('leader')),
        `leader: ${elected[0]!.id}`,
      );
  });

  it('because NATS is not there yet, one is elected once it is', async () => {
    await using own = await startNats();
    await own.stop();
    const candidate = new Candidate('a', own);
    await delay(300);
    assert.deepEqual(candidate.said, []);
    await own.restart();
    await candidate.says('elected');
  });
});

describe('a leader', () => {
  it('that ends in good order hands over at once', async () => {
    const [first, second] = await pair();
    first.signal('SIGTERM');
    const tookMs = await second.says('elected');
    assert.ok(tookMs < limits.leaseMs / 2, `took ${tookMs} ms`);
    await first.exit;
    assert.equal(first.said.at(-1), 'closed');
    assert.deepEqual(second.said.filter((line) => line !== 'campaigning').slice(-3), [
      'leader: nobody',
      'leader: b',
      'elected',
    ]);
  });

  it('that is killed is followed by another within the lease and a little', async () => {
    const [first, second] = await pair();
    first.signal('SIGKILL');
    const tookMs = await second.says('elected');
    assert.ok(tookMs > limits.leaseMs / 2, `after ${tookMs} ms it may still have been alive`);
    assert.ok(tookMs < limits.leaseMs + SLACK_MS, `took ${tookMs} ms`);
  });

  it('that was paused is uncertain, finds another one leading, steps down and follows it', async () => {
    const [first, second] = await pair();
    first.signal('SIGSTOP');
    await second.says('elected');
    assert.ok(!first.said.some((line) => line.startsWith('deposed')));
    first.signal('SIGCONT');
    await first.says(/^deposed: b leads since 2\d{3}-/);
    await first.says('leader: b');
    assert.ok(first.said.some((line) => line.startsWith('uncertain: the lease was not renewed for')));
    second.signal('SIGTERM');
    await first.says('elected', first.said.indexOf('leader: b'));
  });

  it('that was paused for less than the lease goes on', async () => {
    const [first, second] = await pair();
    first.signal('SIGSTOP');
    await delay(limits.leaseMs / 3);
    first.signal('SIGCONT');
    await delay(limits.leaseMs);
    assert.ok(!second.said.includes('elected') && !first.said.some((line) => line.startsWith('deposed')));
  });

  it('that is asked to step down lets others go first', async () => {
    const told: string[] = [];
    const broker = new Broker({ servers: [server.url], name: 'x' });
    brokers.push(broker);
    const elected = Promise.withResolvers<void>();
    const first = new Leadership(broker, {
      id: 'x',
      addresses: ['x:1'],
      bucket,
      onElected: elected.resolve,
      onDeposed: (why) => told.push(why),
    });
    await first.campaign();
    await elected.promise;
    assert.deepEqual([first.role, first.leader?.id, first.leader?.addresses], ['leading', 'x', ['x:1']]);
    const second = new Candidate('b');
    await second.says('leader: x');
    await first.stepDown('the journal is lost');
    await second.says('elected');
    assert.deepEqual([told, first.role], [['the journal is lost'], 'standing-by']);
    await second.kill();
    await first.close();
    assert.equal(first.role, 'closed');
  });
});

it('a leader that is asked to step down and is alone leads again after a while', async () => {
  const broker = new Broker({ servers: [server.url], name: 'x' });
  brokers.push(broker);
  const elections: PromiseWithResolvers<number>[] = [Promise.withResolvers(), Promise.withResolvers()];
  let count = 0;
  const onElected = (): void => elections[count++]!.resolve(performance.now());
  const alone = new Leadership(broker, { id: 'x', addresses: [], bucket, onElected });
  await alone.campaign();
  await elections[0]!.promise;
  const steppedDownAt = performance.now();
  await alone.stepDown('the journal is lost');
  assert.ok((await elections[1]!.promise) - steppedDownAt > limits.leaseMs - 100);
  await alone.close();
});

describe('a stand-by', () => {
  it('that was paused does not take over from a leader that was there all the time', async () => {
    const [first, second] = await pair();
    second.signal('SIGSTOP');
    await delay(limits.leaseMs + 500);
    second.signal('SIGCONT');
    await delay(limits.leaseMs + 500);
    assert.ok(!second.said.includes('elected'));
    assert.ok(!first.said.some((line) => /^(deposed|uncertain)/.test(line)), first.said.join('\n'));
  });
});

describe('while NATS is away', () => {
  it('for longer than the lease, the leader is uncertain, nobody takes over, and it goes on after', async () => {
    await using own = await startNats();
    const [first, second] = await pair(own);
    await own.kill();
    await first.says(/^uncertain: the lease was not renewed for \d+ ms: (lost NATS|no NATS)/);
    await own.restart();
    await first.says('certain');
    await delay(limits.leaseMs + 500);
    assert.ok(!second.said.includes('elected'));
    assert.ok(!first.said.some((line) => line.startsWith('deposed')));
    // The stand-by hears and looks again, too.
    first.signal('SIGTERM');
    await second.says('elected');
  });

  it('the stand-by gives the leader its time anew once NATS is back', async () => {
    await using own = await startNats();
    const [first, second] = await pair(own);
    await own.kill();
    first.signal('SIGSTOP');
    await delay(limits.leaseMs + 500);
    await own.restart();
    const tookMs = await second.says('elected');
    assert.ok(tookMs > limits.leaseMs / 2, `took over after ${tookMs} ms`);
    first.signal('SIGCONT');
    await first.says(/^deposed: b leads/);
  });

  it('without a word to anybody, the leader is uncertain all the same, and closing does not hang', async () => {
    await using own = await startNats();
    const candidate = new Candidate('a', own);
    await candidate.says('elected');
    own.pause();
    await candidate.says(/^uncertain: the lease was not renewed for \d+ ms/, 0, limits.leaseMs + SLACK_MS);
    candidate.signal('SIGTERM');
    // Its lease, and what is to be sent on the connection.
    await candidate.says('closed', 0, limits.handOverMsMax + SLACK_MS);
  });

  it('closing does not hang', async () => {
    await using own = await startNats();
    const candidate = new Candidate('a', own);
    await candidate.says('elected');
    await own.kill();
    candidate.signal('SIGTERM');
    await candidate.says('closed', 0, 8_000);
    await candidate.exit;
  });
});

describe('a lease', () => {
  it('that somebody removed is found free, and one is elected anew', async () => {
    const [first] = await pair();
    const broker = new Broker({ servers: [server.url], name: 'x' });
    brokers.push(broker);
    const { js, jsm } = await broker.connected();
    const removed = saidSoFar();
    await (await js.views.kv(bucket)).delete('leader');
    await first.says(/^deposed/);
    await someoneIsElected(removed);
    const lost = saidSoFar();
    await jsm.streams.delete(`KV_${bucket}`);
    await someoneIsElected(lost);
  });

  it('that holds what nobody of ours wrote is waited for like any other, then taken', async () => {
    const broker = new Broker({ servers: [server.url], name: 'x' });
    brokers.push(broker);
    const { js } = await broker.connected();
    const kv = await js.views.kv(bucket);
    await kv.put('leader', '{"id": 5, "addresses": "no"');
    const candidate = new Candidate('a');
    await candidate.says('leader: unknown');
    assert.ok((await candidate.says('elected')) > limits.leaseMs / 2);
  });

  it('in a bucket that somebody made otherwise is refused in one line', async () => {
    const broker = new Broker({ servers: [server.url], name: 'x' });
    brokers.push(broker);
    const { jsm } = await broker.connected();
    await jsm.streams.add({ name: `KV_${bucket}`, subjects: ['other'] });
    const leadership = new Leadership(broker, { id: 'a', addresses: [], bucket });
    await assert.rejects(leadership.campaign(), { code: 'STREAM_DIFFERS' });
    await leadership.close();
  });
});
