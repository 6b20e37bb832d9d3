import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Intake } from '@regatta/proto/queue-intake';
import { ACK_WAIT_MS, WORK_STREAM } from '@regatta/proto/queue-names';
import { decodeValue, unpack } from '@regatta/workloads';
import { limits } from './limits.ts';
import { chunk, chunks, TestCoordinator } from './testing/coordinator.ts';
import { outcomeOf, TestNode } from './testing/node.ts';

let coordinator: TestCoordinator;
const nodes: TestNode[] = [];

beforeEach(async () => {
  coordinator = await TestCoordinator.start('r');
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map(({ puller }) => puller.close()));
  await coordinator.end();
});

function newNode(name: string, onGiven: (node: TestNode) => void = () => {}): TestNode {
  const node = new TestNode(coordinator.dial(name), name, () => {
    onGiven(node);
    coordinator.heard();
  });
  nodes.push(node);
  return node;
}

/** Ends each chunk as soon as it is given. */
const eager = (name: string): TestNode => newNode(name, (node) => node.complete(node.given.at(-1)!));

const settled = async (): Promise<boolean> => (await coordinator.chunksOf('r')).messages === 0;

/** Ranges of tasks that the coordinator knows to be done, each as often as it was told. */
const toldFroms = (): number[] => coordinator.told.map(({ outcome }) => outcome.from).sort((a, b) => a - b);

describe('a puller', () => {
  it('gives chunks to the executor, tells what became of them, and only then lets go of them', async () => {
    const node = newNode('a');
    node.puller.pull('r', 2);
    await coordinator.queue([chunk(4)]);
    await coordinator.until(() => node.given.length === 1, 'the chunk is given');
    assert.deepEqual({ ...node.given[0]!, inputs: [] }, { ...chunk(4), inputs: [] });
    assert.deepEqual(await coordinator.chunksOf('r'), { messages: 1, held: 1 });
    node.complete(chunk(4));
    await coordinator.until(settled, 'the chunk is acknowledged');
    await coordinator.until(() => coordinator.told.length === 1, 'its outcome is told');
    const { nodeId, incarnation, outcome } = coordinator.told[0]!;
    assert.deepEqual([nodeId, incarnation, outcome.attemptId, outcome.end?.$case], ['a', 7, 5, 'completed']);
    assert.deepEqual(
      unpack(outcome.results).map(decodeValue),
      Array.from({ length: 10 }, (_, i) => 40 + i),
    );
    assert.equal(node.puller.held, 0);
  });

  it('takes as many as it has lanes and a few ahead, and one more for each few that end', async () => {
    const node = newNode('a');
    node.puller.pull('r', 2);
    await coordinator.queue(chunks(50));
    const mayHold = 2 + limits.aheadMin;
    await coordinator.until(() => node.given.length === mayHold, 'it holds what it may');
    await coordinator.until(async () => (await coordinator.consumerOf('r')).num_pending === 50 - mayHold, 'no more');
    for (const assignment of node.given.slice(0, 3)) node.complete(assignment);
    await coordinator.until(() => node.given.length >= mayHold + 2, 'it takes more');
    assert.ok(node.given.length <= mayHold + 3);
  });

  it('shares a run with another, each by its lanes', async () => {
    const [one, two] = [newNode('a'), newNode('b')];
    for (const { puller } of [one, two]) puller.pull('r', 20);
    const waiting = async (): Promise<boolean> => (await coordinator.consumerOf('r')).num_waiting === 2;
    await coordinator.until(waiting, 'both wait');
    await coordinator.queue(chunks(40));
    await coordinator.until(() => one.given.length + two.given.length === 40, 'all are given');
    assert.ok(Math.abs(one.given.length - two.given.length) <= 10, `${one.given.length} and ${two.given.length}`);
  });

  it('knows which attempts are its own', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'a chunk is given');
    assert.equal(node.puller.report(outcomeOf(chunk(9))), false);
    assert.equal(node.puller.report(outcomeOf(chunk(0))), true);
  });

  it('takes no more of a run that it is to stop, and ends what it has', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'a chunk is given');
    node.puller.stop('r');
    await coordinator.until(async () => (await coordinator.consumerOf('r')).num_waiting === 0, 'it waits for none');
    await coordinator.queue([chunk(1)]);
    node.complete(chunk(0));
    await coordinator.until(() => coordinator.told.length === 1, 'the outcome is told');
    await coordinator.until(async () => (await coordinator.chunksOf('r')).held === 0, 'its chunk is acknowledged');
    assert.deepEqual([node.given.length, (await coordinator.chunksOf('r')).messages], [1, 1]);
    node.puller.pull('r', 1);
    await coordinator.until(() => node.given.length === 2, 'asked to, it pulls again');
  });

  it('hands back only the rest of a chunk that is partly done: what is done is told, and not for others to do', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'it is given');
    node.puller.stopAll();
    node.puller.report(outcomeOf({ ...chunk(0), to: 4 }, { kind: 'open' }));
    node.puller.report(outcomeOf({ ...chunk(0), from: 4, to: 4 }, { kind: 'stopped' }, []));
    await coordinator.until(settled, 'it is gone');
    await coordinator.until(() => coordinator.told.length === 2, 'both are told');
    assert.deepEqual(
      coordinator.told.map(({ outcome: { from, to, end } }) => [from, to, end?.$case]),
      [
        [0, 4, undefined],
        [4, 4, 'stopped'],
      ],
    );
  });

  it('tells a chunk that was stopped by order, and lets go of it', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'it is given');
    node.puller.report(outcomeOf({ ...chunk(0), to: 0 }, { kind: 'stopped' }, []));
    await coordinator.until(settled, 'it is gone');
    await coordinator.until(() => coordinator.told.length === 1, 'it is told');
    assert.equal(coordinator.told[0]!.outcome.end?.$case, 'stopped');
  });
});

describe('a chunk that is long at work', () => {
  it('stays with its node', async () => {
    const [node, other] = [newNode('a'), newNode('b')];
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'it is given');
    other.puller.pull('r', 1);
    await new Promise((resolve) => setTimeout(resolve, ACK_WAIT_MS + 2_000));
    assert.deepEqual([node.given.length, other.given.length], [1, 0]);
    assert.equal((await coordinator.consumerOf('r')).num_redelivered, 0);
  });

  it('goes to another node when its own is killed', async () => {
    const doomed = fork(fileURLToPath(new URL('testing/hold-for-ever.ts', import.meta.url)), [coordinator.nats.url]);
    await coordinator.queue([chunk(0)]);
    await once(doomed, 'message');
    doomed.kill('SIGKILL');
    const node = eager('b');
    node.puller.pull('r', 1);
    await coordinator.until(settled, 'another node ended it');
    assert.deepEqual(
      node.given.map(({ attemptId }) => attemptId),
      [1],
    );
  });

  it('is not begun twice where it is delivered twice', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0), chunk(0)]);
    await coordinator.until(async () => (await coordinator.chunksOf('r')).held === 2, 'both are delivered');
    node.complete(chunk(0));
    await coordinator.until(async () => (await coordinator.chunksOf('r')).held === 1, 'one is acknowledged');
    // The other comes again when its time is over, and is known then.
    await coordinator.until(settled, 'so is the other');
    assert.deepEqual([node.given.length, toldFroms()], [1, [0]]);
  });
});

describe('a chunk that keeps failing', () => {
  it('ends as lost, with its cause, after it was delivered too often', async () => {
    const { broker } = coordinator;
    const { nc } = await broker.connected();
    let deliveries = 0;
    const hopeless = new Intake(broker, {
      stream: WORK_STREAM,
      consumer: 'r',
      room: () => (deliveries < limits.deliveriesMax ? 1 : 0),
      atLeast: () => 1,
      onMessage: ({ handle }) => {
        deliveries++;
        nc.publish(handle, Buffer.from('-NAK'));
        coordinator.heard();
      },
      onMissing: () => {},
    });
    await coordinator.queue([chunk(2)]);
    await coordinator.until(() => deliveries === limits.deliveriesMax, 'it came back often enough');
    await hopeless.close();
    const node = newNode('b');
    node.puller.pull('r', 1);
    await coordinator.until(() => coordinator.told.length === 1, 'its end is told');
    const { end } = coordinator.told[0]!.outcome;
    assert.ok(end?.$case === 'lost');
    assert.equal(end.value.code, 'DELIVERED_TOO_OFTEN');
    assert.equal(
      end.value.message,
      'tasks 20 to 29 were delivered 6 times, and no node brought them to an end; ' +
        'node b, the last to get them, did not run them',
    );
    await coordinator.until(settled, 'it is gone');
    assert.deepEqual(coordinator.takings, [{ nodeId: 'b', attemptId: 3, deliveries: 6 }]);
    assert.deepEqual([node.given.length, node.warnings], [0, [`run r: ${end.value.message}`]]);
  });
});

it('puts away what is no chunk, says so in a line each, and goes on', async () => {
  const node = eager('a');
  node.puller.pull('r', 1);
  await coordinator.say('r', Buffer.from('junk'));
  await coordinator.say('r', Buffer.alloc(0));
  await coordinator.queue([{ ...chunk(0), to: 0 }, chunk(1, Uint8Array.of(1, 2, 3)), { ...chunk(5), attemptId: 99 }]);
  await coordinator.until(settled, 'all are gone');
  assert.deepEqual([node.given.map(({ attemptId }) => attemptId), node.puller.poisoned], [[99], 4]);
  for (const line of node.warnings)
    assert.match(line, /^message \d on regatta\.work\.r \(\d+ bytes\) is no chunk of ours and was put away: [^\n]+$/);
});

describe('while NATS is away', () => {
  it('keeps outcomes, tells them once it is back, and runs no chunk twice', async () => {
    const node = newNode('a');
    node.puller.pull('r', 4);
    await coordinator.queue(chunks(4));
    await coordinator.until(() => node.given.length === 4, 'all are given');
    await coordinator.nats.kill();
    node.completeAll();
    await coordinator.until(() => node.puller.waitingBytes > 0, 'outcomes wait');
    await coordinator.restart();
    await coordinator.until(settled, 'all are acknowledged');
    await coordinator.until(() => coordinator.told.length >= 4, 'all are told');
    assert.deepEqual([toldFroms(), node.given.length, node.puller.waitingBytes], [[0, 10, 20, 30], 4, 0]);
  });

  it('loses nothing of a run in whose midst the server is killed, twice', async () => {
    const [one, two] = [eager('a'), eager('b')];
    const count = 2_000;
    await coordinator.queue(chunks(count));
    for (const { puller } of [one, two]) puller.pull('r', 8);
    const told = (): number => new Set(toldFroms()).size;
    for (const part of [0.25, 0.6]) {
      await coordinator.until(() => told() > part * count, `${part} of it is done`);
      await coordinator.nats.kill();
      await coordinator.restart();
    }
    await coordinator.until(() => told() === count, 'all of it is done');
    // A server that is killed forgets that messages were acknowledged, not that they were delivered: some stay for good.
    const idle = async (): Promise<boolean> => {
      const { num_pending, num_ack_pending } = await coordinator.consumerOf('r');
      return num_pending + num_ack_pending === 0;
    };
    await coordinator.until(idle, 'nothing is left to be taken');
    assert.deepEqual([one.puller.held, two.puller.held], [0, 0]);
  });
});

describe('results that are large', () => {
  it('are told in pieces, the end with the last', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'it is given');
    const results = Array.from({ length: 10 }, (_, i) => Buffer.alloc(400_000, i + 1));
    node.puller.report(outcomeOf(chunk(0), { kind: 'completed' }, results));
    await coordinator.until(settled, 'it is acknowledged');
    await coordinator.until(() => coordinator.told.at(-1)?.outcome.to === 10, 'all is told');
    const pieces = coordinator.told.map(({ outcome }) => outcome);
    assert.deepEqual(Buffer.concat(pieces.flatMap((piece) => unpack(piece.results))), Buffer.concat(results));
    assert.deepEqual(
      pieces.map(({ from, to, end }) => [from, to, end?.$case]),
      [
        [0, 2, undefined],
        [2, 4, undefined],
        [4, 6, undefined],
        [6, 8, undefined],
        [8, 10, 'completed'],
      ],
    );
  });

  it('fail alone where no message can hold one, and say what would', async () => {
    const node = newNode('a');
    node.puller.pull('r', 1);
    await coordinator.queue([chunk(0)]);
    await coordinator.until(() => node.given.length === 1, 'it is given');
    const results = Array.from({ length: 10 }, (_, i) => Buffer.alloc(i === 3 ? 1_100_000 : 10, i + 1));
    node.puller.report(outcomeOf(chunk(0), { kind: 'completed' }, results));
    await coordinator.until(() => coordinator.told.length === 1, 'it is told');
    const { outcome } = coordinator.told[0]!;
    assert.deepEqual(
      unpack(outcome.results).map(({ byteLength }) => byteLength),
      [10, 10, 10, 0, 10, 10, 10, 10, 10, 10],
    );
    const [{ task, code, message }] = outcome.failures as [(typeof outcome.failures)[number]];
    assert.deepEqual([task, code, outcome.failures.length], [3, 'RESULT_TOO_LARGE', 1]);
    assert.match(message, /^its result is 1\.05 MiB, more than the 1\.00 MiB .* use --transport grpc$/);
  });
});
