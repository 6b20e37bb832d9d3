import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Finding } from './finding.ts';
import type { ConnectionFacts, NatsFacts, StreamFacts } from './nats.ts';
import { judgeNats } from './nats-judgement.ts';
import { failed } from './probe.ts';

const MIB = 2 ** 20;
const answered = <T>(value: T) => ({ kind: 'answered', value }) as const;

const stream = (over: Partial<StreamFacts> = {}) =>
  answered({ usedBytes: MIB, mostBytes: 100 * MIB, replicas: 1, behind: [], essential: [], settled: [], ...over });

const connection = (over: Partial<ConnectionFacts> = {}): ConnectionFacts => ({
  server: 'box:4222',
  version: '2.9.10',
  payloadBytesMax: MIB,
  cluster: '',
  roundTripMs: answered(1),
  account: answered({ usedBytes: MIB, mostBytes: 0 }),
  streams: [{ name: 'REGATTA_JOURNAL', stream: stream() }],
  ...over,
});

const facts = (over: Partial<NatsFacts> = {}): NatsFacts => ({
  servers: ['box:4222'],
  given: true,
  reached: [{ server: 'box:4222', tcp: answered(undefined) }],
  connection: answered(connection()),
  monitor: undefined,
  ...over,
});

const notOk = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level !== 'ok');
const only = (findings: readonly Finding[]): Finding => {
  const [one, ...more] = notOk(findings);
  assert.ok(one !== undefined && more.length === 0, JSON.stringify(findings));
  return one;
};
const judge = (over: Partial<ConnectionFacts>, inUse = true): Finding[] =>
  judgeNats(facts({ connection: answered(connection(over)) }), inUse);
const judgeOf = (over: Partial<StreamFacts>, cluster = ''): Finding[] =>
  judge({ cluster, streams: [{ name: 'S', stream: stream(over) }] });

describe('NATS', () => {
  it('as a cluster needs it gives nothing to mend', () => {
    assert.deepEqual(notOk(judge({})), []);
  });

  it('that cannot be used is wrong, in the words of its complaint, with what to do', () => {
    const complaint =
      'no NATS server answers at box:4222 (connection refused): start one there, or correct the address';
    const found = only(judgeNats(facts({ connection: failed(complaint, 'NATS') }), true));
    assert.equal(found.what, 'no NATS server answers at box:4222 (connection refused)');
    assert.equal(found.mend, 'start one there, or correct the address');
    const refused = failed('NATS at box:4222 refuses user u or the password: correct that', 'NATS');
    assert.match(only(judgeNats(facts({ connection: refused }), true)).mend!, /--nats-password-file/);
    const hangs = only(judgeNats(facts({ connection: failed('it hangs: no answer in 2000 ms', 'HANGS') }), true));
    assert.equal(hangs.what, 'it hangs: no answer in 2000 ms');
  });

  it('that only the coordinator named need not be open to us', () => {
    const connection = failed('NATS at box:4222 wants credentials and we were given none: x', 'NATS');
    const [found, ...more] = judgeNats(facts({ given: false, connection }), true);
    assert.deepEqual([found!.level, more.length], ['skipped', 0]);
    assert.equal(found!.what, 'not looked at from here: NATS at box:4222 wants credentials and we were given none');
  });

  it('that is old, takes small messages, or is far away is told so', () => {
    assert.equal(only(judge({ version: '2.8.4' })).level, 'wrong');
    assert.deepEqual(notOk(judge({ version: '2.10.0' })), []);
    assert.match(only(judge({ payloadBytesMax: MIB - 1 })).mend!, /max_payload to 1\.0 MiB/);
    assert.equal(only(judge({ roundTripMs: answered(51) })).level, 'warning');
    assert.deepEqual(notOk(judge({ roundTripMs: answered(49) })), []);
    assert.equal(only(judge({ roundTripMs: failed('it hangs') })).level, 'wrong');
  });

  it('of several servers one of which is down is warned of', () => {
    const reached = [{ server: 'b:1', tcp: failed('connection refused') }];
    const found = only(judgeNats(facts({ reached }), true));
    assert.deepEqual([found.level, found.name], ['warning', 'b:1']);
  });

  it('is warned of where its disk fills up, and wrong where it is full', () => {
    const used = (mib: number) => ({ account: answered({ usedBytes: mib * MIB, mostBytes: 100 * MIB }) });
    assert.deepEqual(notOk(judge(used(79))), []);
    assert.equal(only(judge(used(81))).level, 'warning');
    assert.equal(only(judge(used(96))).level, 'wrong');
    const monitor = answered({ usedBytes: 99, mostBytes: 100 });
    assert.equal(only(judgeNats(facts({ monitor }), true)).name, 'storage of this server');
    assert.equal(only(judgeNats(facts({ monitor: failed('connection refused') }), true)).level, 'warning');
  });
});

describe('a stream', () => {
  it('that is missing is wrong once a coordinator uses it', () => {
    const missing = { streams: [{ name: 'S', stream: answered(undefined) }] };
    assert.equal(only(judge(missing)).what, 'is not there');
    assert.deepEqual(notOk(judge(missing, false)), []);
  });

  it('that is another one is wrong; one that a start sets right is warned of', () => {
    assert.match(only(judgeOf({ essential: ['retention limits instead of workqueue'] })).what, /not ours/);
    assert.equal(only(judgeOf({ settled: ['max_age 5 instead of 0'] })).level, 'warning');
  });

  it('whose copies are not current is wrong', () => {
    const found = only(judgeOf({ replicas: 3, behind: ['n2 is offline'] }, 'c'));
    assert.deepEqual([found.level, found.what], ['wrong', 'copies are not current: n2 is offline']);
    assert.deepEqual(notOk(judgeOf({ replicas: 3 }, 'c')), []);
  });

  it('with one copy is warned of in a cluster, not on one server', () => {
    assert.equal(only(judgeOf({}, 'c')).level, 'warning');
    assert.deepEqual(notOk(judgeOf({})), []);
  });

  it('that is nearly full is told of', () => {
    assert.equal(only(judgeOf({ usedBytes: 90 * MIB })).level, 'warning');
    assert.equal(only(judgeOf({ usedBytes: 99 * MIB })).level, 'wrong');
    assert.deepEqual(notOk(judgeOf({ usedBytes: 99 * MIB, mostBytes: 0 })), []);
  });

  it('has as many copies as the others', () => {
    const streams = [1, 3].map((replicas) => ({ name: `S${replicas}`, stream: stream({ replicas }) }));
    assert.equal(only(judge({ streams })).what, 'differ: S1 has 1, S3 has 3');
  });
});
