import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeView } from '../cli/render/testing/views.ts';
import { RULE_GROUPS } from './expected.ts';
import type { Finding } from './finding.ts';
import { failed } from './probe.ts';
import type { Alert, PrometheusFacts, Target } from './prometheus.ts';
import { judgePrometheus } from './prometheus-judgement.ts';

const answered = <T>(value: T) => ({ kind: 'answered', value }) as const;
const coordinator: Target = { job: 'regatta-coordinator', address: 'c:7421', node: '', health: 'up', lastError: '' };
const agent: Target = { job: 'regatta-nodes', address: 'a:7422', node: 'a', health: 'up', lastError: '' };

const facts = (over: Partial<PrometheusFacts> = {}): PrometheusFacts => ({
  url: 'http://box:9090',
  version: answered('2.42.0'),
  targets: answered([coordinator, agent]),
  rules: answered({ groups: RULE_GROUPS, broken: [] }),
  firing: answered([]),
  ...over,
});

const a = nodeView({ id: 'a', metricsAddress: 'a:7422' });
const notOk = (over: Partial<PrometheusFacts>, nodes = [a]): Finding[] =>
  judgePrometheus(facts(over), nodes).filter(({ level }) => level !== 'ok');
const only = (findings: readonly Finding[]): Finding => {
  const [one, ...more] = findings;
  assert.ok(one !== undefined && more.length === 0, JSON.stringify(findings));
  return one;
};

describe('Prometheus', () => {
  it('that sees all gives nothing to mend', () => {
    assert.deepEqual(notOk({}), []);
  });

  it('that cannot be asked is wrong, once', () => {
    const down = failed('connection refused');
    assert.equal(
      only(notOk({ version: down, targets: down, rules: down, firing: down })).what,
      'cannot be asked: connection refused',
    );
  });

  it('with a target that is down is wrong, with its last error; with one not scraped yet it is not', () => {
    const lastError = 'Get "http://a:7422/metrics": connection refused';
    const found = only(notOk({ targets: answered([coordinator, { ...agent, health: 'down', lastError }]) }));
    assert.deepEqual(
      [found.name, found.level, found.what],
      ['regatta-nodes', 'wrong', `a at a:7422 is down: ${lastError}`],
    );
    assert.deepEqual(notOk({ targets: answered([coordinator, { ...agent, health: 'unknown' }]) }), []);
  });

  it('says where its token belongs where that is what is missing', () => {
    const lastError = 'server returned HTTP status 401 Unauthorized';
    assert.match(
      only(notOk({ targets: answered([{ ...coordinator, health: 'down', lastError }, agent]) })).mend!,
      /credentials_file/,
    );
  });

  it('that does not know a coordinator, or a live node with metrics, is wrong', () => {
    assert.equal(only(notOk({ targets: answered([agent]) })).what, 'has no targets');
    assert.equal(only(notOk({ targets: answered([coordinator]) })).what, 'a at a:7422 is no target');
    const without = nodeView({ id: 'b' });
    assert.deepEqual(notOk({}, [a, without, nodeView({ id: 'c', state: 'lost', metricsAddress: 'c:1' })]), []);
    assert.equal(only(notOk({ targets: answered([coordinator]) }, [without])).level, 'warning');
  });

  it('is warned of without our rules, and wrong where one cannot be evaluated', () => {
    assert.match(only(notOk({ rules: answered({ groups: [], broken: [] }) })).what, /none of ours/);
    const some = { groups: RULE_GROUPS.slice(1), broken: [] };
    assert.deepEqual([only(notOk({ rules: answered(some) })).what], [`not loaded: ${RULE_GROUPS[0]}`]);
    const broken = { groups: RULE_GROUPS, broken: [{ name: 'R', why: 'parse error' }] };
    assert.equal(only(notOk({ rules: answered(broken) })).what, 'R cannot be evaluated: parse error');
  });

  it('lists the alerts that fire, those of one name together', () => {
    const alert = (node: string, severity: string): Alert => ({
      name: 'NodeLost',
      severity,
      labels: `node="${node}"`,
      summary: 'A node was lost',
    });
    const found = only(notOk({ firing: answered([alert('a', 'warning'), alert('b', 'warning')]) }));
    assert.deepEqual([found.level, found.what], ['warning', 'fires: A node was lost {node="a"}, {node="b"}']);
    assert.equal(only(notOk({ firing: answered([alert('a', 'critical')]) })).level, 'wrong');
  });
});
