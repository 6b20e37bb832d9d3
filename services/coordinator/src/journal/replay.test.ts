import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { Engine } from '../engine/engine.ts';
import { FakeNode } from '../engine/testing/fake-node.ts';
import { requestFor } from '../engine/testing/runs.ts';
import { bytesOfEntries } from './codec.ts';
import { limits } from './limits.ts';
import { JournalLog } from './log.ts';
import { JournalRecorder } from './recorder.ts';

let nats: NatsServer;
let broker: Broker;
let engine: Engine;
let log: JournalLog;

beforeEach(async () => {
  nats = await startNats();
  broker = new Broker({ servers: [nats.url], name: 'test' });
  log = await JournalLog.open(broker);
  await log.takeOver();
  const nothing = (): void => {};
  engine = new Engine({ spillDirectory: tmpdir(), noProgressMs: 60_000, onBroken: nothing, onStuck: nothing });
  const { insides } = engine;
  const events = { onLost: nothing, onNoRoom: nothing, onTrouble: nothing, away: () => undefined };
  await engine.begin(new JournalRecorder({ log, insides, ...events, bytesPerSnapshot: 12_000 }, []));
});
afterEach(async () => {
  engine.end('the test is over');
  await broker.close();
  await nats.stop();
});

/** A run of ten tasks, done by a node, and enough of others besides for a snapshot or so. */
async function runOne(node: FakeNode): Promise<string> {
  const id = await engine.submitSafely(requestFor({ tasks: 10, chunk: 1, policy: 'self' }));
  for (let other = 0; other < 5; other++) engine.submit(requestFor({ tasks: 3 }));
  while (node.assigned.length > 0) {
    node.report(node.take());
    await engine.settled();
  }
  return id;
}

describe('a run that is replayed', () => {
  it('has the effects that it had, from the beginning or from a snapshot on', async () => {
    const node = new FakeNode(engine, 'a', 2);
    const ids = [await runOne(node), await runOne(node), await runOne(node)];
    for (const [i, id] of ids.entries()) {
      const { identical, ended, events, eventsBefore, effects, difference } = await engine.replay(id);
      assert.deepEqual([identical, ended, difference], [true, true, '']);
      assert.ok(events > 10 && effects >= events && (i === 0 || eventsBefore > 0), `${events} events`);
    }
  });

  it('is told to differ, and where, where the scheduler decides otherwise than it did', async () => {
    const node = new FakeNode(engine, 'a', 1);
    const id = await engine.submitSafely(requestFor({ tasks: 2, chunk: 1, policy: 'self' }));
    const forged = { at: Date.now() + 1, event: { kind: 'tick' as const }, digest: 12_345 };
    await log.append('events', bytesOfEntries([forged]));
    const { identical, difference } = await engine.replay(id);
    assert.equal(identical, false);
    assert.match(difference, /^tick of 20\S+Z: now it has the effects \[\]/);
    assert.ok(node.assigned.length > 0);
  });

  it('is not there any more where its events have been removed, and that is said', async () => {
    const node = new FakeNode(engine, 'a', 2);
    const first = await runOne(node);
    // The last snapshot that is kept is newer than the first run.
    for (let run = 0; run < 4 * limits.snapshotsKept; run++) await runOne(node);
    await assert.rejects(engine.replay(first), { code: 'NOT_RECORDED', message: /no longer in the journal/ });
  });
});
