/** Whether Prometheus sees the cluster whole: coordinators, nodes, rules; and what its alerts say. */
import { counted } from '@regatta/kernel';
import type { NodeView } from '../cli/views.ts';
import { JOBS, RULE_GROUPS } from './expected.ts';
import { type About, about, type Finding, type Level, listed } from './finding.ts';
import { limits } from './limits.ts';
import { connectedOf } from './nodes.ts';
import type { Outcome } from './probe.ts';
import type { Alert, PrometheusFacts, RuleFacts, Target } from './prometheus.ts';

/** @param nodes all that the coordinator knows; undefined where it could not be asked */
export function judgePrometheus(facts: PrometheusFacts, nodes: readonly NodeView[] | undefined): Finding[] {
  const { url, version, targets, rules, firing } = facts;
  const { ok, wrong } = about('Prometheus', new URL(url).host);
  if (version.kind === 'failed') return [wrong(`cannot be asked: ${version.why}`, 'start it, or correct --prometheus')];
  return [ok(version.value), ...judgeTargets(targets, nodes), ...judgeRules(rules), ...judgeAlerts(firing)];
}

function judgeTargets(outcome: Outcome<readonly Target[]>, nodes: readonly NodeView[] | undefined): Finding[] {
  const { wrong } = about('Prometheus', 'targets');
  if (outcome.kind === 'failed') return [wrong(`cannot be asked for: ${outcome.why}`, 'see the log of Prometheus')];
  const of = (job: string): Target[] => outcome.value.filter((target) => target.job === job);
  const lost = (nodes ?? []).filter(({ state }) => state === 'lost').map(({ id }) => id);
  const coordinators = of(JOBS.coordinator);
  // One that was lost is looked for a while longer; alerts tell of it.
  const agents = of(JOBS.nodes).filter(({ health, node }) => health === 'up' || !lost.includes(node));
  const found = [...judgeJob(JOBS.coordinator, coordinators), ...judgeJob(JOBS.nodes, agents)];
  if (coordinators.length === 0) found.push(judgeMissingJob(JOBS.coordinator));
  const serving = connectedOf(nodes ?? []).filter(({ metricsAddress }) => metricsAddress !== '');
  if (agents.length === 0 && serving.length === 0) {
    const mend = 'start node-agents with --metrics, for Prometheus to find them by http_sd';
    found.push(about('Prometheus', JOBS.nodes).warning('no node is a target', mend));
  }
  const unseen = serving.filter((node) => !agents.some((target) => isOf(target, node))).map(judgeUnseen);
  return [...found, ...few(unseen, about('Prometheus', JOBS.nodes), 'node is no target', 'nodes are no targets')];
}

const isOf = ({ node, address }: Target, { id, metricsAddress }: NodeView): boolean =>
  node === id || address === metricsAddress;

const GRAVITY = ['ok', 'skipped', 'warning', 'wrong'] as const satisfies readonly Level[];

/** The gravest; the others are only counted, and weigh as much as the gravest of them. */
function few(findings: readonly Finding[], { ok, warning, wrong }: About, one: string, many: string): Finding[] {
  const weighed = findings.toSorted((a, b) => GRAVITY.indexOf(b.level) - GRAVITY.indexOf(a.level));
  const rest = weighed.slice(limits.namesShownMax);
  const shown = weighed.slice(0, limits.namesShownMax);
  if (rest.length === 0) return shown;
  const line = counted(rest.length, `more ${one}`, `more ${many}`);
  const mend = 'correct the first ones, then look again';
  switch (rest[0]!.level) {
    case 'wrong':
      return [...shown, wrong(line, mend)];
    case 'warning':
      return [...shown, warning(line, mend)];
    default:
      return [...shown, ok(line)];
  }
}

/** Those that are up in one line, each other one in its own. */
function judgeJob(job: string, targets: readonly Target[]): Finding[] {
  const us = about('Prometheus', job);
  const up = targets.filter(({ health }) => health === 'up').length;
  const others = targets.filter(({ health }) => health !== 'up').map((target) => judgeTarget(job, target));
  return [
    ...(up > 0 ? [us.ok(`${up} of ${counted(targets.length, 'target is up', 'targets are up')}`)] : []),
    ...few(others, us, 'is not up', 'are not up'),
  ];
}

function judgeTarget(job: string, { address, node, health, lastError }: Target): Finding {
  const { ok, wrong } = about('Prometheus', job);
  const who = node === '' ? address : `${node} at ${address}`;
  if (health === 'unknown') return ok(`${who} has not been scraped yet`);
  return wrong(`${who} is down: ${lastError || 'no reason given'}`, mendOf(lastError));
}

function mendOf(lastError: string): string {
  if (/\b40[13]\b/.test(lastError)) {
    return "give Prometheus the metrics token: authorization.credentials_file in that job's configuration";
  }
  return 'let Prometheus reach that address, or correct it: --metrics, at node-agents also --advertise-metrics';
}

const judgeMissingJob = (job: string): Finding =>
  about('Prometheus', job).wrong(
    'has no targets',
    'use deploy/prometheus/prometheus.yml, with the address of your coordinators',
  );

function judgeUnseen({ id, metricsAddress }: NodeView): Finding {
  const mend = `add http_sd_configs with the coordinator's /sd to the job ${JOBS.nodes}; just after a start, wait a moment`;
  return about('Prometheus', JOBS.nodes).wrong(`${id} at ${metricsAddress} is no target`, mend);
}

function judgeRules(outcome: Outcome<RuleFacts>): Finding[] {
  const us = about('Prometheus', 'rules');
  const { ok, warning, wrong } = us;
  if (outcome.kind === 'failed') return [wrong(`cannot be asked for: ${outcome.why}`, 'see the log of Prometheus')];
  const { groups, broken } = outcome.value;
  const errors = broken.map(({ name, why }) => wrong(`${name} cannot be evaluated: ${why}`, 'correct that rule'));
  const found = few(errors, us, 'cannot be evaluated', 'cannot be evaluated');
  const missing = RULE_GROUPS.filter((group) => !groups.includes(group));
  if (missing.length === 0) return [...found, ok(`all ${RULE_GROUPS.length} groups are loaded`)];
  const what = missing.length === RULE_GROUPS.length ? 'none of ours are loaded' : `not loaded: ${missing.join(', ')}`;
  const mend = 'add deploy/prometheus/rules/*.yaml to rule_files; without them there are no alerts';
  return [...found, warning(what, mend)];
}

function judgeAlerts(outcome: Outcome<readonly Alert[]>): Finding[] {
  const us = about('Prometheus', 'alerts');
  const { ok, wrong } = us;
  if (outcome.kind === 'failed') return [wrong(`cannot be asked for: ${outcome.why}`, 'see the log of Prometheus')];
  if (outcome.value.length === 0) return [ok('none is firing')];
  const names = Map.groupBy(outcome.value, ({ name }) => name);
  return few([...names.values()].map(judgeAlert), us, 'fires', 'fire');
}

function judgeAlert(alerts: readonly Alert[]): Finding {
  const { name, summary, severity } = alerts[0]!;
  const { warning, wrong } = about('Prometheus', `alert ${name}`);
  const where = listed(
    alerts.map(({ labels }) => (labels === '' ? '' : `{${labels}}`)),
    limits.namesShownMax,
  );
  const what = `fires: ${[summary, where].filter((part) => part !== '').join(' ')}`;
  const mend = 'docs/OBSERVING.md says what each alert asks for';
  return severity === 'critical' ? wrong(what, mend) : warning(what, mend);
}
