import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CoordinatorFacts, type Described, judgeCoordinator, judgeLeadership } from './coordinators.ts';
import type { Finding } from './finding.ts';
import { failed } from './probe.ts';

const answered = <T>(value: T) => ({ kind: 'answered', value }) as const;

const described = (over: Partial<Described> = {}): Described => ({
  version: '0.1.0',
  role: 'leading',
  leaders: [],
  complaint: '',
  protocolMin: 1,
  protocolMax: 1,
  nowMs: 1_000_000,
  insecure: [],
  metricsUrl: '',
  heardAtMs: 1_000_001,
  roundTripMs: 2,
  ...over,
});

const facts = (over: Partial<CoordinatorFacts> = {}): CoordinatorFacts => ({
  address: 'a:1',
  given: true,
  tcp: answered(undefined),
  serves: answered(true),
  itself: answered(described()),
  ...over,
});

const judge = (over: Partial<CoordinatorFacts>): Finding[] => judgeCoordinator(facts(over), '0.1.0');
const says = (over: Partial<Described>): Finding[] => judge({ itself: answered(described(over)) });
const notOk = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level !== 'ok');
const only = (findings: readonly Finding[]): Finding => {
  const [one, ...more] = notOk(findings);
  assert.ok(one !== undefined && more.length === 0, JSON.stringify(findings));
  return one;
};

describe('a coordinator', () => {
  it('that leads or stands by, of our version, is well', () => {
    assert.deepEqual(notOk(says({})), []);
    const standBy = says({ role: 'standing-by', leaders: ['b:2'] });
    assert.deepEqual(notOk(standBy), []);
    assert.equal(standBy[0]!.what, 'stands by; b:2 leads');
  });

  it('that cannot be reached is wrong, or warned of where only another one named it', () => {
    const closed = { tcp: failed('connection refused'), itself: failed('x') };
    const found = only(judge(closed));
    assert.deepEqual([found.level, found.what], ['wrong', 'cannot be reached: connection refused']);
    assert.equal(only(judge({ ...closed, given: false })).level, 'warning');
  });

  it('that refuses our token is wrong, with which option to give', () => {
    const found = only(
      judge({ itself: failed('a:1: this coordinator wants a token, and was given none', 'TOKEN_REFUSED') }),
    );
    assert.equal(found.what, 'this coordinator wants a token, and was given none');
    assert.match(found.mend!, /--token-file/);
  });

  it('is told from something else that listens there, and from one that hangs', () => {
    const stranger = failed('a:1 is a gRPC server but no Regatta coordinator; check --coordinator', 'UNREACHABLE');
    assert.equal(only(judge({ itself: stranger, serves: failed('x') })).what, 'is no Regatta coordinator');
    assert.match(only(judge({ itself: stranger })).what, /older coordinator/);
    assert.match(only(judge({ itself: failed('it hangs: no answer in 2000 ms', 'HANGS') })).what, /listens.*hangs/);
  });

  it('where nobody leads is wrong, and says why', () => {
    assert.equal(
      only(says({ role: 'idle', complaint: 'no coordinator leads yet: no NATS' })).what,
      'no coordinator leads yet: no NATS',
    );
    assert.equal(only(says({ role: 'uncertain' })).level, 'warning');
  });

  it('of another minor version is warned of', () => {
    assert.equal(only(says({ version: '0.2.0' })).level, 'warning');
    assert.deepEqual(notOk(says({ version: '0.1.7' })), []);
  });

  it('whose clock is an hour behind is wrong', () => {
    assert.match(only(says({ nowMs: 1_000_000 - 3_600_000 })).what, /60\.0 min behind this machine's/);
  });

  it('that is open to all is warned of, in the words that it was started with', () => {
    assert.equal(only(says({ insecure: ['INSECURE: --listen 0.0.0.0:1 is open'] })).what, '--listen 0.0.0.0:1 is open');
  });

  it('that does not serve, by its own word, is wrong', () => {
    assert.equal(only(judge({ serves: answered(false) })).level, 'wrong');
  });
});

describe('leadership', () => {
  const at = (address: string, over: Partial<Described>): CoordinatorFacts =>
    facts({ address, itself: answered(described(over)) });

  it('is one of them with others that stand by', () => {
    const [found, ...more] = judgeLeadership([at('a:1', {}), at('b:2', { role: 'standing-by', leaders: ['a:1'] })]);
    assert.deepEqual([found!.level, found!.what, more.length], ['ok', 'a:1 leads, 1 of those seen stand by', 0]);
  });

  it('of two at once is two clusters, which is wrong', () => {
    assert.equal(
      only(judgeLeadership([at('a:1', {}), at('b:2', {})])).what,
      'a:1 and b:2 lead, each a cluster of its own',
    );
  });

  it('of nobody is wrong', () => {
    assert.equal(only(judgeLeadership([at('a:1', { role: 'idle' })])).level, 'wrong');
  });

  it('is not judged where no coordinator has answered: that is said of each', () => {
    assert.deepEqual(judgeLeadership([facts({ itself: failed('x') })]), []);
  });

  it('of one that speaks no protocol of ours is wrong', () => {
    assert.match(only(judgeLeadership([at('a:1', { protocolMin: 7, protocolMax: 9 })])).what, /protocol 7 to 9/);
  });
});
