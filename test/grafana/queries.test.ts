/** Boards, alerts and recording rules against the metrics that the services have, and a real Prometheus' parser. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { annotationQueries, panelQueries, variableSources } from './committed.ts';
import { families, familyOf, type Known, knownMetrics, listedLabels, neverTold } from './known.ts';
import { Prometheus, promtool, whyNoPrometheus } from './prometheus.ts';
import { filledIn, namesIn } from './promql.ts';
import { UNUSED } from './unused.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const RULES = join(root, 'deploy/prometheus/rules');
const ruleFiles = readdirSync(RULES).filter((file) => file.endsWith('.yaml'));
const testFiles = readdirSync(join(RULES, 'tests'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Rule {
  readonly name: string;
  readonly type: 'recording' | 'alerting';
  readonly query: string;
  /** In seconds. */
  readonly duration: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

describe('boards, alerts and recording rules', { skip: whyNoPrometheus }, () => {
  let prometheus: Prometheus;
  let rules: readonly Rule[];
  let known: Known;

  before(async () => {
    prometheus = await Prometheus.start(`rule_files: ['${RULES}/*.yaml']\n`);
    const { groups } = await prometheus.ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
    rules = groups.flatMap((group) => group.rules);
    known = knownMetrics(ofType('recording').map(({ name }) => name));
  });
  after(() => prometheus.stop());

  const ofType = (type: Rule['type']): readonly Rule[] => rules.filter((rule) => rule.type === type);
  const everything = () => [
    ...panelQueries,
    ...annotationQueries,
    ...rules.map(({ name, query }) => ({ where: `rule ${name}`, expr: query })),
  ];

  it('are well-formed to Prometheus, with their variables filled in', async () => {
    const wrong: string[] = [];
    for (const { where, expr } of everything()) {
      await prometheus.ask('format_query', { query: filledIn(expr, { run: 'run-1' }) }).catch((refused: Error) => {
        wrong.push(`${where}: ${refused.message}: ${expr}`);
      });
    }
    assert.deepEqual(wrong, []);
  });

  it('name metrics that there are, by labels that these have', () => {
    const wrong: string[] = [];
    for (const { where, expr } of everything()) {
      const { metrics, groupings } = namesIn(filledIn(expr, { run: 'run-1' }));
      for (const [metric, labels] of metrics) {
        const has = known.get(metric);
        if (has === undefined) wrong.push(`${where}: there is no ${metric}`);
        else for (const label of labels) if (!has.has(label)) wrong.push(`${where}: ${metric} has no label ${label}`);
      }
      const all = new Set([...metrics.keys()].flatMap((metric) => [...(known.get(metric) ?? [])]));
      for (const label of groupings) if (!all.has(label)) wrong.push(`${where}: nothing in it has a label ${label}`);
    }
    assert.deepEqual(wrong, []);
  });

  it('ask for values of labels that there can be, and so do the tests of the rules', () => {
    const tested = testFiles.flatMap((file) =>
      [...read(`deploy/prometheus/rules/tests/${file}`).matchAll(/series: '([^']+)'/g)].map(([, series]) => ({
        where: `tests/${file}`,
        expr: series!,
      })),
    );
    assert.ok(tested.length > testFiles.length);
    const wrong = [...everything(), ...tested].flatMap(({ where, expr }) =>
      namesIn(filledIn(expr, { run: 'run-1' })).matchers.flatMap((matcher) => {
        const never = neverTold(matcher);
        return never === undefined ? [] : [`${where}: ${never}`];
      }),
    );
    assert.deepEqual(wrong, []);
  });

  it('are held against values of labels that there are', () => {
    for (const [metric, label] of listedLabels) assert.ok(known.get(metric)?.has(label), `${metric} with ${label}`);
  });

  it('make use of every metric that is told, but for those that are listed with a reason', () => {
    const used = new Set(everything().flatMap(({ expr }) => [...namesIn(expr).metrics.keys()].map(familyOf)));
    for (const { metric } of variableSources) used.add(familyOf(metric));
    const idle = families.filter((name) => !used.has(name));
    assert.deepEqual(idle, Object.keys(UNUSED).sort());
  });

  it('have variables whose values come from metrics that there are', () => {
    for (const { where, metric, label } of variableSources) {
      assert.ok(known.get(metric)?.has(label), `${where}: ${metric} with a label ${label}`);
    }
  });

  it('make use of every recording rule', () => {
    const used = new Set(everything().flatMap(({ expr }) => [...namesIn(expr).metrics.keys()]));
    assert.deepEqual(
      ofType('recording')
        .map(({ name }) => name)
        .filter((name) => !used.has(name)),
      [],
    );
  });

  it('are what promtool finds nothing wrong with', () => {
    const { code, said } = promtool('check', 'rules', ...ruleFiles.map((file) => join(RULES, file)));
    assert.equal(code, 0, said);
  });

  it('record and fire as their unit tests say', () => {
    const { code, said } = promtool('test', 'rules', ...testFiles.map((file) => join(RULES, 'tests', file)));
    assert.equal(code, 0, said);
  });

  it('warn in words that say what is wrong and what to do, and not at the first sign', () => {
    for (const { name, duration, labels, annotations } of ofType('alerting')) {
      assert.match(name, /^Regatta[A-Z]\w+$/);
      assert.ok(duration > 0, `${name} has no for`);
      assert.match(labels.severity ?? '', /^(critical|warning)$/, name);
      assert.ok((annotations.summary ?? '').length > 10, `${name} has no summary`);
      assert.ok((annotations.description ?? '').length > 60, `${name} says too little`);
    }
  });

  it('are each seen to fire, and not to fire', () => {
    const tests = testFiles.map((file) => read(`deploy/prometheus/rules/tests/${file}`)).join('\n');
    for (const { name } of ofType('alerting')) {
      assert.match(tests, new RegExp(`ALERTS\\{alertname="${name}",alertstate="firing",severity="`), `${name} fires`);
      const quiet = new RegExp(`alertname=~?"(\\w+\\|)*${name}(\\|\\w+)*"[^\\[\\]{]*exp_samples: \\[\\]`);
      assert.match(tests, quiet, `${name} does not fire`);
    }
  });

  it('that are recorded are each named in the documentation', () => {
    const text = read('docs/OBSERVING.md');
    for (const { name } of ofType('recording')) assert.ok(text.includes(`\`${name}\``), name);
  });

  it('are each explained under a heading of their own', () => {
    const headings = [...read('docs/OBSERVING.md').matchAll(/^#+ (Regatta\w+)$/gm)].map(([, name]) => name!);
    assert.deepEqual(
      headings.sort(),
      ofType('alerting')
        .map(({ name }) => name)
        .sort(),
    );
  });
});

describe('what Prometheus and Grafana are started with', () => {
  const configs = ['deploy/prometheus/prometheus.yml', 'deploy/prometheus/prometheus.ha.yml'];

  it('scrapes as often as Grafana thinks', () => {
    const interval = /timeInterval: (\w+)/.exec(read('grafana/provisioning/datasources/prometheus.yaml'))?.[1];
    for (const config of configs) assert.equal(/scrape_interval: (\w+)/.exec(read(config))?.[1], interval, config);
  });

  it('calls jobs what boards and alerts call them', () => {
    const rules = ruleFiles.map((file) => read(`deploy/prometheus/rules/${file}`)).join('\n');
    const asked = [...panelQueries.map(({ expr }) => expr), rules].join('\n');
    const jobs = new Set([...asked.matchAll(/job="([^"]+)"/g)].map(([, job]) => job!));
    assert.deepEqual([...jobs].sort(), ['regatta-coordinator', 'regatta-nodes']);
    for (const config of configs)
      for (const job of jobs) assert.match(read(config), new RegExp(`job_name: ${job}$`, 'm'));
  });

  it('has the data source that boards choose at first, and the boards where Grafana looks for them', () => {
    const uid = /^ {4}uid: (\S+)$/m.exec(read('grafana/provisioning/datasources/prometheus.yaml'))?.[1];
    const overview = JSON.parse(read('grafana/dashboards/overview.json')) as {
      templating: { list: { name: string; current: { value: string } }[] };
    };
    assert.equal(overview.templating.list.find(({ name }) => name === 'datasource')?.current.value, uid);
    const path = /path: (\S+)/.exec(read('grafana/provisioning/dashboards/regatta.yaml'))?.[1];
    assert.match(read('deploy/compose.yaml'), new RegExp(`\\.\\./grafana/dashboards:${path}:ro`));
  });
});
