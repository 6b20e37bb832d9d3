/** Metrics of real processes, scraped by a real Prometheus that is told of the nodes by the coordinator. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, type NatsServer, startNats } from '@regatta/broker/testing';
import { Prometheus, whyNoPrometheus } from '../grafana/prometheus.ts';
import { Cluster, eventually, Sandbox, startCoordinator } from './cluster.ts';
import { Direct } from './direct.ts';
import type { StatusJson } from './wire.ts';

const METRICS = ['--metrics', '127.0.0.1:0'];
const SEEN_MS_MAX = 30_000;
/** It reads from its stdin what it is to check. */
const PROMTOOL = 'promtool';

interface Target {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const textOf = async (url: string): Promise<string> => {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return response.text();
};
const targetsOf = async (base: string): Promise<readonly Target[]> => JSON.parse(await textOf(`${base}/sd`));

/** The value of one series, from the text. @param series with its labels, as it is written */
function valueIn(text: string, series: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function metricsUrlOf(cluster: Cluster): Promise<string> {
  const { coordinator } = await cluster.json<StatusJson>(['status']);
  return coordinator.metrics!.replace(/\/metrics$/, '');
}

const prometheusConfig = (base: string): string => `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: coordinator
    static_configs: [{ targets: ["${new URL(base).host}"] }]
  - job_name: node-agent
    http_sd_configs: [{ url: "${base}/sd", refresh_interval: 1s }]
`;

describe('metrics that Prometheus scrapes', { skip: whyNoPrometheus }, () => {
  let nats: NatsServer;
  let cluster: Cluster;
  let direct: Direct;
  let prometheus: Prometheus;
  let base: string;

  before(async () => {
    const monitor = await freePort();
    nats = await startNats({ config: `http: "127.0.0.1:${monitor}"` });
    const serveArgs = [...METRICS, '--nats', nats.url, '--nats-monitor', `http://127.0.0.1:${monitor}`];
    cluster = await Cluster.start({ serveArgs, agentArgs: METRICS });
    direct = new Direct(cluster.address);
    base = await metricsUrlOf(cluster);
    prometheus = await Prometheus.start(prometheusConfig(base));
  });
  after(async () => {
    direct?.close();
    await prometheus?.stop();
    await cluster?.stop();
    await nats?.[Symbol.asyncDispose]();
  });

  const value = async (query: string): Promise<number> =>
    Number((await prometheus.query(query))[0]?.value?.[1] ?? Number.NaN);
  const becomes = async (query: string, wanted: number): Promise<void> => {
    let last = Number.NaN;
    const look = async (): Promise<boolean> => {
      last = await value(query);
      return Math.abs(last - wanted) < 1e-6;
    };
    await eventually(look, SEEN_MS_MAX, `${query} to be ${wanted}`).catch((thrown) => {
      throw new Error(`${thrown.message}; it is ${last}`);
    });
  };

  it('are of the coordinator and of each node, which it finds by itself', async () => {
    await becomes('sum(up{job="node-agent"})', 2);
    await becomes('up{job="coordinator"}', 1);
    const nodes = (await prometheus.query('regatta_agent_cores')).map(({ metric }) => metric.node).sort();
    assert.deepEqual(nodes, ['node-1', 'node-2']);
  });

  it('say of a CPU run over gRPC what its summary says', async () => {
    const run = await direct.run('number-cruncher', { count: 60, n: 20_000 }, { model: 'processes' });
    assert.equal(run.succeeded, 60);
    const work = 'model="processes",transport="grpc"';
    await becomes(`regatta_tasks_submitted_total{${work}}`, 60);
    await becomes(`regatta_tasks_total{${work},outcome="succeeded"}`, 60);
    await becomes(`regatta_tasks_total{${work},outcome="failed"}`, 0);
    await becomes(`sum(regatta_chunks_total{${work}})`, run.accounting.chunks);
    await becomes(`regatta_task_duration_seconds_count{${work}}`, 60);
    await becomes(`regatta_task_duration_seconds_sum{${work}}`, run.accounting.taskWallMs / 1000);
    await becomes(`regatta_task_cpu_seconds_total{${work}}`, run.accounting.cpuMs / 1000);
    await becomes(`regatta_result_bytes_total{${work}}`, run.accounting.resultBytes);
    await becomes(`regatta_runs_total{${work},outcome="succeeded"}`, 1);
    for (const { node, tasks } of run.accounting.nodes) {
      await becomes(`sum(regatta_agent_tasks_total{transport="grpc",node="${node}"})`, tasks);
    }
  });

  it('say of an I/O run over NATS what its summary says', async () => {
    const run = await direct.run('io-wait', { count: 300, ms: 5 });
    assert.deepEqual([run.spec.transport, run.succeeded], ['nats', 300]);
    const work = 'model="async",transport="nats"';
    await becomes(`regatta_tasks_total{${work},outcome="succeeded"}`, 300);
    await becomes(`sum(regatta_chunks_total{${work}})`, run.accounting.chunks);
    await becomes(`regatta_task_duration_seconds_sum{${work}}`, run.accounting.taskWallMs / 1000);
    await becomes('sum(regatta_agent_tasks_total{transport="nats"})', 300);
    await becomes('sum(regatta_agent_queue_deliveries_total)', run.accounting.chunks);
    await becomes('sum(regatta_agent_queue_chunks_held)', 0);
    assert.ok((await value('regatta_journal_write_seconds_count')) > 0);
  });

  it('count tasks that fail, are tried again, and kill their hosts', async () => {
    const failing = await direct.run('synthetic', { count: 20, failureRate: 1 }, { model: 'threads', retries: 1 });
    assert.equal(failing.failed, 20);
    await becomes('regatta_tasks_total{model="threads",outcome="failed"}', 20);
    await becomes('regatta_task_retries_total{model="threads",reason="failed"}', 20);
    const crashing = await direct.run('faulty', { how: 'exit', at: 3, count: 10 }, { model: 'processes' });
    assert.deepEqual([crashing.succeeded, crashing.failed], [9, 1]);
    await becomes('regatta_poison_tasks_total{model="processes",reason="HOST_DIED"}', 1);
    await becomes('sum(regatta_agent_host_ends_total{reason="crashed"})', crashing.accounting.hostRestarts);
  });

  it('account for every task, at each moment', async () => {
    const id = await direct.submit('io-wait', { count: 400, ms: 20 });
    const other = await direct.submit('noop', { count: 200_000 }, { policy: 'self', chunk: 10 });
    for (let look = 0; look < 20; look++) {
      const text = await textOf(`${base}/metrics`);
      assert.equal(valueIn(text, 'regatta_tasks_unaccounted'), 0);
    }
    await direct.client.cancel(other, 'enough');
    await Promise.all([direct.ended(id), direct.ended(other)]);
    await becomes('sum(regatta_tasks_in_flight) or vector(0)', 0);
    const ended = await value('sum(regatta_tasks_total)');
    assert.equal(ended, await value('sum(regatta_tasks_submitted_total)'));
    assert.equal(await value('max_over_time(regatta_tasks_unaccounted[5m])'), 0);
    assert.equal(await value('min_over_time(regatta_tasks_unaccounted[5m])'), 0);
  });

  it('tell of a run itself while it goes on, and no longer', async () => {
    const id = await direct.submit('io-wait', { count: 2_000, ms: 200 }, { concurrency: 8 });
    await eventually(
      async () =>
        (valueIn(await textOf(`${base}/metrics`), `regatta_run_tasks{run="${id}",state="succeeded"}`) ?? 0) > 0,
      SEEN_MS_MAX,
      'tasks of the run to be told',
    );
    const during = await textOf(`${base}/metrics`);
    assert.match(
      during,
      new RegExp(`regatta_run_info\\{run="${id}",workload="io-wait",model="async",transport="nats",policy="awf"\\} 1`),
    );
    assert.match(during, new RegExp(`regatta_run_node_tasks\\{run="${id}",node="node-1"\\} \\d`));
    await direct.client.cancel(id, 'seen');
    await direct.ended(id);
    await eventually(
      async () => !(await textOf(`${base}/metrics`)).includes(id),
      SEEN_MS_MAX,
      'nothing to be told of the run any more',
    );
  });

  it('name runs in exemplars', async () => {
    const run = await direct.run('io-wait', { count: 20, ms: 700 });
    const named = async (): Promise<boolean> => {
      const now = Date.now() / 1000;
      const found = await prometheus.ask<{ exemplars: { labels: { run_id: string } }[] }[]>('query_exemplars', {
        query: 'regatta_task_duration_seconds_bucket',
        start: `${now - 300}`,
        end: `${now + 5}`,
      });
      return found.flatMap(({ exemplars }) => exemplars).some(({ labels }) => labels.run_id === run.runId);
    };
    await eventually(named, SEEN_MS_MAX, 'an exemplar of the run');
  });

  it('have what NATS says of its streams and of itself', async () => {
    await becomes('sum(regatta_nats_scrape_ok)', 3);
    assert.ok((await value('regatta_jetstream_stream_messages{stream="REGATTA_JOURNAL"}')) > 0);
    assert.ok((await value('regatta_nats_connections')) >= 3);
    assert.ok((await value('regatta_jetstream_storage_bytes')) > 0);
    assert.equal(await value('regatta_nats_up'), 1);
  });

  it('are such that promtool has nothing to say of them', async () => {
    const agents = (await targetsOf(base)).map(({ targets }) => `http://${targets[0]}`);
    for (const url of [base, ...agents]) {
      const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], {
        input: await textOf(`${url}/metrics`),
        encoding: 'utf8',
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      });
      assert.deepEqual([status, stdout + stderr], [0, '']);
    }
  });

  it('count nodes that are refused, by the reason that they are told', async () => {
    const namesake = cluster.sandbox.startAgent(['--id', 'node-1', '--coordinator', cluster.address]);
    await becomes('min_over_time((regatta_nodes_refused_total{reason="NAME_TAKEN"} >= bool 1)[2s:1s])', 1);
    namesake.child.kill('SIGQUIT');
    await namesake.ended;
  });

  it('are no longer looked for at a node that has left, which is forgotten', async () => {
    const extra = await cluster.addAgent('leaves', { args: METRICS });
    await becomes('up{job="node-agent",node="leaves"}', 1);
    assert.ok((await textOf(`${base}/metrics`)).includes('node="leaves"'));
    extra.child.kill('SIGTERM');
    const known = async (): Promise<boolean> => {
      const targets = await targetsOf(base);
      return targets.some(({ labels }) => labels.node === 'leaves');
    };
    await eventually(async () => !(await known()), SEEN_MS_MAX, 'the node to be no target any more');
    await eventually(
      async () => !(await textOf(`${base}/metrics`)).includes('node="leaves"'),
      SEEN_MS_MAX,
      'the node to be told of no more',
    );
    await becomes('regatta_node_leaves_total', 1);
    assert.equal(await value('regatta_node_losses_total'), 0);
  });
});

describe('health', () => {
  it('of a node is good while it has joined, and says what is wrong when it has not', async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    await using sandbox = new Sandbox();
    const args = ['--id', 'alone', '--coordinator', '127.0.0.1:1', '--prestart', '1', '--metrics', listen];
    const { child } = sandbox.startAgent(args);
    const ready = async () => (await fetch(`http://${listen}/readyz`)).text();
    await eventually(
      () =>
        ready()
          .then((text) => text === 'this node has joined no coordinator\n')
          .catch(() => false),
      SEEN_MS_MAX,
      'the node to say that it is alone',
    );
    assert.equal(await textOf(`http://${listen}/healthz`), 'ok\n');
    child.kill('SIGQUIT');

    await using cluster = await Cluster.start({ agents: 1, serveArgs: METRICS, agentArgs: METRICS });
    const base = await metricsUrlOf(cluster);
    const [target] = await targetsOf(base);
    assert.equal(await textOf(`http://${target!.targets[0]}/readyz`), 'ready\n');
    assert.equal(await textOf(`${base}/readyz`), 'ready\n');
  });

  it('of a coordinator that stands by is good, and it has no targets', async () => {
    await using nats = await startNats();
    await using cluster = await Cluster.start({
      agents: 1,
      serveArgs: ['--nats', nats.url, ...METRICS],
      agentArgs: METRICS,
    });
    assert.equal((await targetsOf(await metricsUrlOf(cluster))).length, 1);
    const listen = `127.0.0.1:${await freePort()}`;
    const { child } = await startCoordinator(cluster.sandbox, ['--nats', nats.url, '--metrics', listen]);
    assert.equal(await textOf(`http://${listen}/readyz`), 'ready\n');
    assert.deepEqual(await targetsOf(`http://${listen}`), []);
    const text = await textOf(`http://${listen}/metrics`);
    assert.equal(valueIn(text, 'regatta_leadership{role="standing-by"}'), 1);
    assert.equal(valueIn(text, 'regatta_tasks_unaccounted'), 0);
    assert.equal(valueIn(text, 'regatta_nats_up'), 1);
    child.kill();
  });

  it('of a coordinator without a leader is bad, and where nodes are it cannot say', async () => {
    await using sandbox = new Sandbox();
    const listen = `127.0.0.1:${await freePort()}`;
    const nowhere = `127.0.0.1:${await freePort()}`;
    const { child } = await startCoordinator(sandbox, ['--nats', nowhere, '--metrics', listen]);
    const answer = await fetch(`http://${listen}/sd`);
    const why = 'no coordinator leads yet: NATS cannot be used, and the log says why\n';
    assert.deepEqual([answer.status, await answer.text()], [503, why]);
    assert.equal((await fetch(`http://${listen}/readyz`)).status, 503);
    child.kill();
  });
});

describe('a coordinator without NATS', () => {
  it('counts that it took up to lead, once: it does from its start, and will do nothing else', async () => {
    await using sandbox = new Sandbox();
    const listen = `127.0.0.1:${await freePort()}`;
    const { child } = await startCoordinator(sandbox, ['--metrics', listen]);
    const text = await textOf(`http://${listen}/metrics`);
    assert.equal(valueIn(text, 'regatta_leadership{role="leading"}'), 1);
    const tookUp = ['leading', 'uncertain', 'standing-by'].map((role) =>
      valueIn(text, `regatta_leadership_changes_total{role="${role}"}`),
    );
    assert.deepEqual(tookUp, [1, 0, 0]);
    child.kill();
  });
});

describe('a coordinator that takes over', () => {
  it('tells Prometheus of nodes that are not back yet, and of those that were lost', async () => {
    await using nats = await startNats();
    const listen = `127.0.0.1:${await freePort()}`;
    const serveArgs = ['--nats', nats.url, '--metrics', listen];
    await using cluster = await Cluster.start({ agents: 1, serveArgs, agentArgs: METRICS });
    const before = await targetsOf(`http://${listen}`);
    assert.equal(before.length, 1);
    cluster.agents[0]!.child.kill('SIGSTOP');
    // Stopped, it could not be ended.
    using _ = { [Symbol.dispose]: () => void cluster.agents[0]!.child.kill('SIGCONT') };
    await cluster.restartCoordinator();
    await eventually(
      async () => (await fetch(`http://${listen}/sd`)).status === 200,
      SEEN_MS_MAX,
      'the coordinator to take over',
    );
    assert.deepEqual(await targetsOf(`http://${listen}`), before);
    const lost = async (): Promise<boolean> =>
      valueIn(await textOf(`http://${listen}/metrics`), 'regatta_nodes{state="lost"}') === 1;
    await eventually(lost, SEEN_MS_MAX, 'the node to be lost');
    assert.deepEqual(await targetsOf(`http://${listen}`), before);
  });

  it('counts that it was in doubt, when NATS was away for longer than its lease', async () => {
    await using nats = await startNats();
    const listen = `127.0.0.1:${await freePort()}`;
    await using _cluster = await Cluster.start({ agents: 0, serveArgs: ['--nats', nats.url, '--metrics', listen] });
    const told = async (): Promise<number | undefined> =>
      valueIn(await textOf(`http://${listen}/metrics`), 'regatta_leadership_changes_total{role="uncertain"}');
    assert.equal(await told(), 0);
    await nats.kill();
    await eventually(async () => (await told()) === 1, SEEN_MS_MAX, 'the coordinator to be in doubt');
  });
});

describe('metrics with a token', () => {
  it('are for who shows it; who does not is counted, at a coordinator and at a node', async () => {
    await using sandbox = new Sandbox();
    const file = join(sandbox.directory, 'metrics-token');
    writeFileSync(file, 'metrics-token-0123456789\n');
    const listen = `127.0.0.1:${await freePort()}`;
    const { child } = await startCoordinator(sandbox, ['--metrics', listen, '--metrics-token-file', file]);
    assert.equal((await fetch(`http://${listen}/metrics`)).status, 401);
    assert.equal((await fetch(`http://${listen}/sd`)).status, 401);
    assert.equal(await textOf(`http://${listen}/healthz`), 'ok\n');
    const shown = { headers: { authorization: 'Bearer metrics-token-0123456789' } };
    const text = await (await fetch(`http://${listen}/metrics`, shown)).text();
    assert.equal(valueIn(text, 'regatta_refused_tokens_total{door="metrics",reason="missing"}'), 2);
    assert.equal(valueIn(text, 'regatta_refused_tokens_total{door="grpc",reason="missing"}'), 0);
    child.kill();

    const here = `127.0.0.1:${await freePort()}`;
    const args = ['--id', 'alone', '--coordinator', '127.0.0.1:1', '--prestart', '1'];
    const agent = sandbox.startAgent([...args, '--metrics', here, '--metrics-token-file', file]);
    const status = (asked: RequestInit = {}): Promise<number> =>
      fetch(`http://${here}/metrics`, asked)
        .then(({ status }) => status)
        .catch(() => 0);
    await eventually(async () => (await status()) !== 0, SEEN_MS_MAX, 'the node to serve metrics');
    const wrong = { headers: { authorization: 'Bearer another-token-0123456789' } };
    assert.equal(await status(wrong), 401);
    const told = await (await fetch(`http://${here}/metrics`, shown)).text();
    assert.equal(valueIn(told, 'regatta_refused_tokens_total{door="metrics",reason="missing"}'), 1);
    assert.equal(valueIn(told, 'regatta_refused_tokens_total{door="metrics",reason="wrong"}'), 1);
    for (let i = 0; i < 20; i++) assert.equal(await status(wrong), 401);
    agent.child.kill('SIGQUIT');
    // However many there were.
    const lines = (await agent.ended).stderr.split('\n').filter((line) => line.includes('refused'));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0]!, /"msg":"refused a look at metrics from 127\.0\.0\.1: it gave no metrics token"/);
  });

  it('are asked for where they are open to other hosts', async () => {
    await using sandbox = new Sandbox();
    const coordinator = await sandbox.regatta(['serve', '--listen', '127.0.0.1:0', '--metrics', '0.0.0.0:0']);
    assert.equal(coordinator.code, 2);
    assert.match(
      coordinator.stderr,
      /^regatta: --metrics 0\.0\.0\.0:0 is open to other hosts .*--metrics-token-file FILE/,
    );
    const agent = await sandbox.agent(['--metrics', '0.0.0.0:0']);
    assert.equal(agent.code, 2);
    assert.match(agent.stderr, /--metrics 0\.0\.0\.0:0 is open to other hosts .*--metrics-token-file FILE/);
  });

  it('are none where nobody asked for them, and nothing listens', async () => {
    await using cluster = await Cluster.start({ agents: 0 });
    const { coordinator } = await cluster.json<StatusJson>(['status']);
    assert.equal(coordinator.metrics, null);
  });
});
