import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { pino } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import { Queues } from './queues.ts';

/** To its text another host; what dials it stays on this one, and finds nobody. */
const FAR = ['0.0.0.0:1'];

let said: string[] = [];
let queues: Queues;
afterEach(() => queues.close());

function queuesWith(over: Partial<ConstructorParameters<typeof Queues>[0]>): Queues {
  said = [];
  queues = new Queues({
    nodeId: 'a',
    nats: undefined,
    insecure: false,
    incarnation: () => 1,
    executor: {} as Executor,
    log: pino({ level: 'warn' }, { write: (line: string) => void said.push(JSON.parse(line).msg) }),
    ...over,
  });
  return queues;
}

describe('a NATS on another host that the coordinator names', () => {
  it('is not used without credentials; why is said once, and told to the coordinator', () => {
    queuesWith({});
    for (let i = 0; i < 2; i++) queues.found(FAR);
    assert.match(
      queues.complaint,
      /^NATS at 0\.0\.0\.0:1 is on another host and is given no credentials: give --nats-user/,
    );
    assert.deepEqual(said, [queues.complaint]);
  });

  it('is used with credentials that name no server', () => {
    queuesWith({ nats: { servers: [], user: 'me', password: 'secret' } }).found(FAR);
    assert.match(queues.complaint, /^not connected to NATS yet/);
    assert.deepEqual(said, []);
  });

  it('is used without any where that is to be put up with, which is said', () => {
    queuesWith({ insecure: true }).found(FAR);
    assert.match(queues.complaint, /^not connected to NATS yet/);
    assert.match(said.join(), /^INSECURE: NATS at 0\.0\.0\.0:1 is on another host/);
  });
});

describe('a NATS on this host that the coordinator names', () => {
  it('is used as it is', () => {
    queuesWith({}).found(['127.0.0.1:1']);
    assert.match(queues.complaint, /^not connected to NATS yet/);
  });
});
