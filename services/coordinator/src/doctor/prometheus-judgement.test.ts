import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { nodeView } from '../cli/render/testing/views.ts';
import { RULE_GROUPS } from './expected.ts';
import type { Finding } from './finding.ts';
import { limits } from './limits.ts';
import { failed } from './probe.ts';
import { type Alert, examinePrometheus, type PrometheusFacts, type Target } from './prometheus.ts';
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

  it('with a target that is down because its node was lost is right: it is looked for a while longer', () => {
    const gone: Target = { ...agent, node: 'b', address: 'b:7422', health: 'down' };
    const b = nodeView({ id: 'b', state: 'lost', metricsAddress: 'b:7422' });
    assert.deepEqual(notOk({ targets: answered([coordinator, agent, gone]) }, [a, b]), []);
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

  it('that tells of more than people read has the gravest told, and the others counted', () => {
    const many = Array.from({ length: 1_000 }, (_, i): Target => ({ ...agent, address: `x${i}:1`, health: 'unknown' }));
    const down: Target = { ...agent, address: 'last:1', health: 'down' };
    const targets = judgePrometheus(facts({ targets: answered([coordinator, agent, ...many, down]) }), [a]).filter(
      ({ name }) => name === 'regatta-nodes',
    );
    assert.equal(targets.length, limits.namesShownMax + 2);
    assert.match(targets.map(({ what }) => what).join('\n'), /last:1 is down/);
    assert.deepEqual(
      [targets.at(-1)!.level, targets.at(-1)!.what],
      ['ok', `${1_001 - limits.namesShownMax} more are not up`],
    );
    const firing = Array.from(
      { length: 100 },
      (_, i): Alert => ({ name: `A${i}`, severity: '', labels: '', summary: 's' }),
    );
    const alerts = notOk({ firing: answered([...firing, { ...firing[0]!, name: 'Grave', severity: 'critical' }]) });
    assert.deepEqual(
      [alerts.length, alerts[0]!.name, alerts.at(-1)!.what],
      [limits.namesShownMax + 1, 'alert Grave', `${101 - limits.namesShownMax} more fire`],
    );
  });
});

describe('what Prometheus says', () => {
  it('is cut, and moves no cursor, wherever it stands', async () => {
    const long = `\u001b[2J${'x'.repeat(10_000)}`;
    const lies: Readonly<Record<string, unknown>> = {
      '/api/v1/status/buildinfo': { version: long },
      '/api/v1/targets': { activeTargets: [{ labels: { job: long, node: long, instance: long }, lastError: long }] },
      '/api/v1/rules': { groups: [{ name: long, rules: [{ name: long, health: 'err', lastError: long }] }] },
      '/api/v1/alerts': {
        alerts: [{ state: 'firing', labels: { alertname: long, a: long, b: long }, annotations: { summary: long } }],
      },
    };
    const server = createServer(({ url }, response) => {
      response.end(JSON.stringify({ status: 'success', data: lies[url!.split('?')[0]!] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { url, ...told } = await examinePrometheus(`http://127.0.0.1:${port}`);
    server.close();
    const texts: string[] = [];
    JSON.stringify(told, (_, value) => {
      if (typeof value === 'string') texts.push(value);
      return value;
    });
    assert.ok(texts.filter((text) => text.length === limits.textCharactersMax).length >= 10, String(texts.length));
    for (const text of texts) assert.ok(text.length <= limits.textCharactersMax && !/\p{Cc}/u.test(text), text);
  });
});
