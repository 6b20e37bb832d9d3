import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { Accounting, type ControlServiceServer, GetStatusResponse } from '@regatta/proto/control';
import { controlService as definition } from '@regatta/proto/services';
import { pack } from '@regatta/workloads';
import { Client } from './client.ts';
import { wireSpecOf } from './codec.ts';
import { planRun } from './run-options.ts';

const { spec } = planRun('noop', { policy: 'awf', retries: 0 });
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Member {
  readonly address: string;
  /** What it was asked, in order. */
  readonly asked: string[];
  /** As when it is killed. */
  die(): void;
}

type Answers = Partial<ControlServiceServer>;

/** A coordinator of a cluster, as far as `answers` goes. */
async function member(answers: (self: Member) => Answers): Promise<Member> {
  const server = new Server();
  const asked: string[] = [];
  const end = (): void => server.forceShutdown();
  const self = { address: '', asked, die: end };
  const heard = Object.entries(answers(self)).map(([name, answer]) => [
    name,
    (...call: unknown[]) => {
      asked.push(name);
      return (answer as (...call: unknown[]) => unknown)(...call);
    },
  ]);
  server.addService(definition, Object.fromEntries(heard));
  ends.push(end);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  self.address = `127.0.0.1:${port}`;
  return self;
}

const unavailable = (details: string) => ({ code: status.UNAVAILABLE, details });
const refusing = (details: string): Answers => {
  const refuse = (_: unknown, callback: (error: object) => void): void => callback(unavailable(details));
  return { submitRun: refuse, getRun: refuse, getStatus: refuse } as Answers;
};
const standBy = (leader: Member) =>
  member(() => refusing(`this coordinator stands by; the one that leads is at ${leader.address}`));
const nobody = async (): Promise<Member> => {
  const gone = await member(() => ({}));
  gone.die();
  return gone;
};
const leading = (runId: string): Answers => ({ submitRun: (_, callback) => callback(null, { runId }) });

function clientOf(...members: Member[]): Client & { readonly said: string[] } {
  const said: string[] = [];
  const client = new Client(
    members.map(({ address }) => address),
    { say: (line) => said.push(line) },
  );
  ends.push(() => client.close());
  return Object.assign(client, { said });
}

describe('a run that is submitted', () => {
  it('goes to the one that a stand-by names, though it was not given, and once', async () => {
    const leader = await member(() => leading('run-1'));
    const client = clientOf(await standBy(leader));
    assert.equal(await client.submit(spec), 'run-1');
    assert.deepEqual([leader.asked, client.address], [['submitRun'], leader.address]);
    await client.submit(spec);
    assert.equal(leader.asked.length, 2);
  });

  it('goes to the next where nobody is there', async () => {
    assert.equal(await clientOf(await nobody(), await member(() => leading('run-2'))).submit(spec), 'run-2');
  });

  it('waits while none of them leads, and says nothing of it at first', async () => {
    let leads = false;
    const client = clientOf(
      await member(() => ({
        submitRun: (_, callback) => {
          if (leads) return callback(null, { runId: 'run-3' });
          leads = true;
          callback(unavailable('no coordinator leads yet: it reads the journal'));
        },
      })),
    );
    assert.equal(await client.submit(spec), 'run-3');
    assert.deepEqual(client.said, []);
  });

  for (const [how, lose] of [
    ['went away', ({ die }: Member) => die()],
    ['was deposed', undefined],
  ] as const) {
    it(`is not submitted again where the first ${how} with it, and that is said`, async () => {
      const first = await member((self) => ({
        submitRun: (_, callback) => (lose ? lose(self) : callback(unavailable('another coordinator leads: so it is'))),
      }));
      const other = await member(() => leading('twice'));
      await assert.rejects(clientOf(first, other).submit(spec), ({ message }: Error) => {
        assert.match(
          message,
          new RegExp(`^${first.address}: .*; whether it took the run is not known: look at regatta`),
        );
        return true;
      });
      assert.deepEqual(other.asked, []);
    });
  }

  it('with inputs is sent again, all of it, where the first went away before the last of them', async () => {
    const first = await member((self) => ({ submitRunWithInputs: (call) => call.once('data', () => self.die()) }));
    const frames: string[] = [];
    const other = await member(() => ({
      submitRunWithInputs: (call, callback) =>
        call.on('data', ({ frame }) => frames.push(frame.$case)).on('end', () => callback(null, { runId: 'run-4' })),
    }));
    let made = 0;
    const inputs = function* () {
      made++;
      // More than the connection takes before it is read.
      for (let i = 0; i < 40; i++) yield new Uint8Array(2 ** 20);
    };
    assert.equal(await clientOf(first, other).submitWithInputs({ ...spec, tasks: 40 }, inputs), 'run-4');
    assert.deepEqual([made, frames.length, frames[0]], [2, 41, 'spec']);
  });
});

describe('what can be asked twice', () => {
  it('is, of another, where the first went away with it', async () => {
    const first = await member((self) => ({ listNodes: () => self.die() }));
    const other = await member(() => ({ listNodes: (_, callback) => callback(null, { nodes: [] }) }));
    assert.deepEqual(await clientOf(first, other).nodes(), []);
  });

  it('is not where one that leads refuses it, or fails at it', async () => {
    for (const code of [status.NOT_FOUND, status.FAILED_PRECONDITION, status.INTERNAL]) {
      const first = await member(() => ({
        listNodes: (_, callback) => callback({ code, details: 'that is how it is' }),
      }));
      const other = await member(() => ({ listNodes: (_, callback) => callback(null, { nodes: [] }) }));
      await assert.rejects(clientOf(first, other).nodes(), /that is how it is/);
      assert.deepEqual(other.asked, []);
    }
  });
});

const run = (succeeded: number) => ({
  runId: 'run-1',
  spec: wireSpecOf(spec),
  state: succeeded === 10 ? (4 as const) : (2 as const),
  reason: '',
  succeeded,
  failed: 0,
  cancelled: 0,
  inFlight: 0,
  pending: 10 - succeeded,
  submittedAtMs: 0,
  startedAtMs: 0,
  endedAtMs: 0,
  wallMs: 0,
  failures: [],
  late: [],
  accounting: Accounting.fromPartial({}),
});
const part = (from: number) => ({ from, to: from + 1, results: pack([]) });
const knows: Answers = {
  getRun: (_, callback) => callback(null, { run: run(0) }),
  getStatus: (_, callback) => callback(null, GetStatusResponse.fromPartial({ journal: true })),
};

describe('a run that is followed', () => {
  const dying = (durable: boolean) =>
    member((self) => ({
      ...knows,
      watchRun: (call) => {
        call.write({ run: run(1), durable });
        setTimeout(self.die, 50);
      },
      streamResults: (call) => {
        call.write({ parts: [part(0), part(3)] });
        setTimeout(self.die, 50);
      },
    }));
  const successor = () =>
    member(() => ({
      ...knows,
      watchRun: (call) => {
        call.write({ run: run(10), durable: true });
        call.end();
      },
      streamResults: (call) => {
        for (const parts of [[part(3)], [part(0), part(1)], [part(2)]]) call.write({ parts });
        call.end();
      },
    }));
  const watched = async (client: Client): Promise<number[]> => {
    const seen: number[] = [];
    for await (const { succeeded } of client.watch('run-1')) seen.push(succeeded);
    return seen;
  };
  const wentAway = ['the coordinator went away; looking for the one that takes over …'];

  it('is followed on with the next coordinator where it outlives the first, which is said once', async () => {
    const client = clientOf(await dying(true), await successor());
    assert.deepEqual(await watched(client), [1, 10]);
    assert.deepEqual(client.said, wentAway);
  });

  it('is given up at once where it does not', async () => {
    const other = await successor();
    const client = clientOf(await dying(false), other);
    await assert.rejects(watched(client), { code: 'UNREACHABLE' });
    assert.deepEqual([client.said, other.asked], [[], []]);
  });

  it('gives each of its results once, whichever coordinator told it', async () => {
    const client = clientOf(await dying(true), await successor());
    const from: number[] = [];
    for await (const one of client.results('run-1')) from.push(one.from);
    assert.deepEqual([from, client.said], [[0, 3, 1, 2], wentAway]);
  });

  it('is given up at once where there will be no other coordinator', async () => {
    const { address } = await dying(true);
    const said: string[] = [];
    const client = new Client(address, { alone: true, say: (line) => said.push(line) });
    ends.push(() => client.close());
    await assert.rejects(watched(client), { code: 'UNREACHABLE' });
    assert.deepEqual(said, []);
  });
});
