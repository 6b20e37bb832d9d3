/**
 * A deployment looked at from here, all parts side by side: facts first, each with a time limit of its own, then what
 * they come to.
 *
 * - D1: nothing that is down, slow or somebody else's keeps the others from being told of.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsSite } from '@regatta/broker';
import { Client } from '../cli/client.ts';
import type { CoordinatorView, NodeView, RunView } from '../cli/views.ts';
import { type CoordinatorFacts, examineCoordinator, judgeCoordinator, judgeLeadership } from './coordinators.ts';
import { about, type Finding } from './finding.ts';
import { examineGrafana, judgeGrafana } from './grafana.ts';
import { limits } from './limits.ts';
import { examineNats, type NatsFacts } from './nats.ts';
import { judgeNats } from './nats-judgement.ts';
import { judgeNodes } from './nodes.ts';
import { examinePorts, judgePorts } from './ports.ts';
import { failed, type Outcome, probe } from './probe.ts';
import { examinePrometheus } from './prometheus.ts';
import { judgePrometheus } from './prometheus-judgement.ts';
import { judgeStatus } from './status.ts';

export interface DoctorOptions {
  /** HOST:PORT each; undefined where no cluster is named or up. */
  readonly coordinators: readonly string[] | undefined;
  readonly token: string | undefined;
  /** Undefined to ask the coordinator where NATS is. */
  readonly nats: NatsSite | undefined;
  readonly natsMonitor: string | undefined;
  /** URLs; undefined not to look. */
  readonly prometheus: string | undefined;
  readonly grafana: string | undefined;
  readonly grafanaToken: string | undefined;
  /** Of this command. */
  readonly version: string;
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** Whether a coordinator that leads has answered. */
  readonly reached: boolean;
}

/** What the coordinator that leads knows. */
interface Fleet {
  readonly status: Outcome<CoordinatorView>;
  readonly nodes: Outcome<readonly NodeView[]>;
  /** A moment before. */
  readonly before: readonly NodeView[];
  readonly runs: readonly RunView[];
  /** The coordinator's clock, Unix time: what it tells is dated by it. */
  readonly nowMs: number;
}

const NOBODY_LEADS = failed('no coordinator that leads has answered');

export async function examine(options: DoctorOptions): Promise<Examination> {
  const { nats, natsMonitor, prometheus, grafana, grafanaToken, version } = options;
  const natsGiven = nats !== undefined && nats.servers.length > 0;
  const [cluster, natsFacts, prometheusFacts, grafanaFacts] = await Promise.all([
    examineCluster(options),
    natsGiven ? examineNats(nats, true, natsMonitor) : undefined,
    prometheus === undefined ? undefined : examinePrometheus(prometheus),
    grafana === undefined ? undefined : examineGrafana(grafana, grafanaToken),
  ]);
  const { coordinators, fleet, metrics } = cluster;
  const status = fleet.status.kind === 'answered' ? fleet.status.value : undefined;
  const nodes = fleet.nodes.kind === 'answered' ? fleet.nodes.value : undefined;
  const queues = natsFacts ?? (await toldNats(status, nats, natsMonitor));
  const targets = prometheusFacts?.targets.kind === 'answered' ? prometheusFacts.targets.value : undefined;
  const findings = [
    ...(options.coordinators === undefined ? [noCluster()] : []),
    ...coordinators.flatMap((facts) => judgeCoordinator(facts, version)),
    ...judgeLeadership(coordinators),
    ...judgeFleet(fleet),
    ...judgePorts(coordinators, metrics, targets),
    ...(queues === undefined ? [] : judgeNats(queues, status?.journal === true)),
    ...(prometheusFacts === undefined ? [] : judgePrometheus(prometheusFacts, nodes)),
    ...(grafanaFacts === undefined ? [] : judgeGrafana(grafanaFacts)),
  ];
  return { findings: inGroups(findings), reached: status !== undefined };
}

async function examineCluster({ coordinators: given = [], token }: DoctorOptions) {
  const named = await Promise.all(given.map((address) => examineCoordinator(address, true, token)));
  const told = named.flatMap(({ itself }) => (itself.kind === 'answered' ? itself.value.leaders : []));
  const leads = named.some(isLeading);
  const others = leads ? [] : [...new Set(told)].filter((address) => !given.includes(address));
  const found = await Promise.all(others.map((address) => examineCoordinator(address, false, token)));
  const coordinators = [...named, ...found];
  const leader = coordinators.find(isLeading);
  const fleet = leader && (await examineFleet(leader, token));
  const nodes = fleet?.nodes.kind === 'answered' ? fleet.nodes.value : [];
  const metrics = await examinePorts(coordinators, nodes);
  return { coordinators, fleet: fleet ?? NO_FLEET, metrics };
}

const NO_FLEET: Fleet = { status: NOBODY_LEADS, nodes: NOBODY_LEADS, before: [], runs: [], nowMs: 0 };

const isLeading = ({ itself }: CoordinatorFacts): boolean =>
  itself.kind === 'answered' && (itself.value.role === 'leading' || itself.value.role === 'uncertain');

async function examineFleet(leader: CoordinatorFacts, token: string | undefined): Promise<Fleet> {
  const { address } = leader;
  const client = new Client(address, { token, alone: true, say: () => {} });
  try {
    const [status, first, listed] = await Promise.all([
      probe(() => client.status()),
      probe(() => client.nodes()),
      probe(() => client.runs(limits.runsLookedAtMax)),
    ]);
    const runs = listed.kind === 'answered' ? listed.value : [];
    const hasQuota = first.kind === 'answered' && first.value.some(({ quotaLimited }) => quotaLimited);
    // Only a quota holds a node back.
    if (!hasQuota) return { status, nodes: first, before: [], runs, nowMs: clockNow(leader) };
    await sleep(limits.throttleLookMs);
    const nodes = await probe(() => client.nodes());
    return { status, nodes, before: first.value, runs, nowMs: clockNow(leader) };
  } finally {
    client.close();
  }
}

/** Ours may be another: by it, what was just now would be long ago. */
const clockNow = ({ itself }: CoordinatorFacts): number =>
  Date.now() + (itself.kind === 'answered' ? itself.value.nowMs - itself.value.heardAtMs : 0);

/** Where the coordinator says that it is, with the credentials that were given, if any. */
async function toldNats(
  status: CoordinatorView | undefined,
  credentials: NatsSite | undefined,
  monitor: string | undefined,
): Promise<NatsFacts | undefined> {
  if (status === undefined || status.natsServers.length === 0) return undefined;
  return examineNats({ ...credentials, servers: status.natsServers }, credentials !== undefined, monitor);
}

function judgeFleet({ status, nodes, before, runs, nowMs }: Fleet): Finding[] {
  const found: Finding[] = [];
  const { wrong } = about('coordinator', 'status');
  if (status.kind === 'answered') found.push(...judgeStatus(status.value, nowMs));
  else if (status !== NOBODY_LEADS)
    found.push(wrong(`the one that leads does not tell it: ${status.why}`, 'see its log'));
  if (nodes.kind === 'failed') {
    if (nodes !== NOBODY_LEADS) found.push(wrong(`it does not tell of its nodes: ${nodes.why}`, 'see its log'));
  } else if (status.kind === 'answered') {
    found.push(...judgeNodes({ nodes: nodes.value, before, runs, version: status.value.version, nowMs }));
  }
  return found;
}

const noCluster = (): Finding =>
  about('coordinator', 'cluster').wrong(
    'none is up here, and none is named',
    'start one with regatta up, or give --coordinator',
  );

/** In the order in which a person would mend them. */
function inGroups(findings: readonly Finding[]): Finding[] {
  return [...Map.groupBy(findings, ({ group }) => group).values()].flat();
}
