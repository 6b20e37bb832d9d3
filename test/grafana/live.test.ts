/**
 * Every query of every panel, asked of a real Prometheus that found a real cluster by http_sd, while it computed, waited,
 * failed and lost a node. A panel that stays empty here would stay empty where it is looked at.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort, type NatsServer, startNats } from '@regatta/broker/testing';
import { Cluster, eventually } from '../integration/cluster.ts';
import { Direct } from '../integration/direct.ts';
import { type Asked, annotationQueries, committed, panelQueries, variableSources } from './committed.ts';
import { Prometheus, type Series, whyNoPrometheus } from './prometheus.ts';
import { filledIn } from './promql.ts';

const RULES = fileURLToPath(new URL('../../deploy/prometheus/rules', import.meta.url));
const SECONDS_MAX = 60_000;
const LOOKS_AT_ONCE = 8;

const legendOf = new Map<string, string>(
  committed.flatMap(({ name, board }) =>
    board.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, legendFormat }) => [`${name}: ${title} (${refId})`, legendFormat] as const),
    ),
  ),
);

describe('a cluster that computes, waits, fails and loses a node', { skip: whyNoPrometheus, timeout: 110_000 }, () => {
  let nats: NatsServer;
  let cluster: Cluster;
  let prometheus: Prometheus;
  let computing = '';
  let from = 0;
  /** When all runs had ended. */
  let raced = 0;
  let to = 0;

  const now = (): number => Date.now() / 1000;

  before(async () => {
    const monitor = await freePort();
    nats = await startNats({ config: `http: "127.0.0.1:${monitor}"` });
    const metrics = `127.0.0.1:${await freePort()}`;
    cluster = await Cluster.start({
      agents: 3,
      serveArgs: ['--nats', nats.url, '--metrics', metrics, '--nats-monitor', `http://127.0.0.1:${monitor}`],
      agentArgs: ['--metrics', '127.0.0.1:0'],
    });
    prometheus = await Prometheus.start(configFor(metrics));
    from = now();
    await isTold('count(up == 1) == 4', 'of three nodes, found by http_sd, and of the coordinator');
    using direct = new Direct(cluster.address);
    computing = await direct.submit('synthetic', { count: 400, cpuMs: 20, bytes: 100 }, { model: 'threads' });
    const waiting = await direct.submit('io-wait', { count: 1000, ms: 40 }, { model: 'async' });
    const failing = await direct.submit('synthetic', { count: 300, cpuMs: 2, failureRate: 0.3 }, { retries: 1 });
    const deadly = await direct.submit('faulty', { count: 12, how: 'kill' });
    await eventually(async () => (await direct.client.run(computing)).succeeded > 100, 30_000, 'a quarter to be done');
    cluster.agents[2]!.child.kill('SIGKILL');
    for (const runId of [computing, waiting, failing, deadly]) await direct.ended(runId, SECONDS_MAX);
    await isTold('sum(regatta_runs_total) == 4', 'the ends of all runs');
    raced = now();
    await cluster.restartCoordinator();
    for (const { where, expr } of annotationQueries)
      if (/restart|Leader/.test(where)) await isTold(filledIn(expr), where);
    // A step further, as ranges go by whole seconds.
    to = now() + 1;
  });

  after(async () => {
    await prometheus?.stop();
    await cluster?.stop();
    await nats?.[Symbol.asyncDispose]();
  });

  const isTold = (expr: string, what: string): Promise<void> =>
    eventually(async () => (await prometheus.query(expr)).length > 0, 25_000, `Prometheus to be told ${what}: ${expr}`);

  /** Over all that happened; a panel's own variables as one who looks at the computing run has them. */
  const answerTo = ({ expr }: Asked): Promise<readonly Series[]> =>
    prometheus.range(
      filledIn(expr, { run: computing, __range: `${Math.ceil(to - from)}s`, __rate_interval: '4s' }),
      from,
      to,
    );

  it('is behind every panel', async () => {
    const wrong: string[] = [];
    await inTurn(panelQueries, async (asked) => {
      const series = (await answerTo(asked)).filter(hasFigures);
      if (series.length === 0) wrong.push(`${asked.where} is empty: ${asked.expr}`);
    });
    assert.deepEqual(wrong.sort(), []);
  });

  it('gives every line a name of its own', async () => {
    const wrong: string[] = [];
    await inTurn(panelQueries, async (asked) => {
      const legend = legendOf.get(asked.where)!;
      const names = (await answerTo(asked)).map(({ metric }) =>
        legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
      );
      for (const name of names) if (/^[\s,]*$/.test(name)) wrong.push(`${asked.where}: a line without a name`);
      // A table's rows are told apart by their labels.
      if (!asked.instant && new Set(names).size < names.length) wrong.push(`${asked.where}: ${names.join(', ')}`);
    });
    assert.deepEqual(wrong.sort(), []);
  });

  it('is marked on the graphs', async () => {
    for (const asked of annotationQueries) {
      assert.ok((await answerTo(asked)).some(hasFigures), `${asked.where}: ${asked.expr}`);
    }
  });

  it('can be chosen from: nodes, models, runs', async () => {
    for (const { where, metric, label } of variableSources) {
      const range = { 'match[]': metric, start: `${from}`, end: `${to}` };
      const values = await prometheus.ask<string[]>(`label/${label}/values`, range);
      assert.ok(values.length > 0, where);
    }
  });

  it('fires the alert that a node was lost, and none that it did not deserve', async () => {
    const fired = await prometheus.range('ALERTS{alertstate="firing"}', from, to);
    const names = new Set(fired.map(({ metric }) => metric.alertname!));
    assert.ok(names.has('RegattaNodeLost'), [...names].join(', '));
    const deserved = [
      'RegattaNodeLost',
      'RegattaTargetDown',
      'RegattaPoisonTasks',
      'RegattaTasksFailing',
      'RegattaHostsCrash',
    ];
    // A machine that is short of CPU may block a loop or make a disk wait; a coordinator that is started again is away.
    const excused = ['RegattaEventLoopStalled', 'RegattaJournalSlow', 'RegattaNodeThrottled', 'RegattaRedeliveries'];
    assert.deepEqual(
      [...names].filter((name) => ![...deserved, ...excused].includes(name)),
      [],
    );
  });

  it('is counted on the board of races as it was run', async () => {
    const asked = panelQueries.find(({ where }) => where === 'race: What was run (B)')!;
    const models = await prometheus.range(
      filledIn(asked.expr, { __range: `${Math.ceil(raced - from)}s` }),
      raced,
      raced,
    );
    const tasks = models.map(({ metric, values }) => [metric.model, Number(values![0]![1])]);
    assert.deepEqual(Object.fromEntries(tasks), { threads: 400, async: 1000, processes: 312 });
  });
});

const configFor = (coordinator: string): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: ['${RULES}/*.yaml']
scrape_configs:
  - job_name: regatta-coordinator
    static_configs: [{ targets: ['${coordinator}'] }]
  - job_name: regatta-nodes
    http_sd_configs: [{ url: 'http://${coordinator}/sd', refresh_interval: 1s }]
`;

/** What is not a number draws nothing. */
const hasFigures = ({ values = [] }: Series): boolean => values.some(([, value]) => Number.isFinite(Number(value)));

/** A few at a time: Prometheus answers no faster than the machine has cores. */
async function inTurn<T>(all: readonly T[], look: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const lookOn = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await look(one);
  };
  await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, lookOn));
}
