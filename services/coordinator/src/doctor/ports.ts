/** Which ports of a deployment can be reached from here. Metrics need not be: those who scrape them must get there. */
import { isBeyondLoopback } from '@regatta/access';
import type { NodeView } from '../cli/views.ts';
import type { CoordinatorFacts } from './coordinators.ts';
import { about, type Finding } from './finding.ts';
import { getText } from './http.ts';
import { connectedOf } from './nodes.ts';
import { type Outcome, probe } from './probe.ts';
import type { Target } from './prometheus.ts';

export interface MetricsPort {
  /** Whose metrics they are. */
  readonly name: string;
  /** HOST:PORT; empty where there are none. */
  readonly address: string;
  /** Where its owner dialled the coordinator from; undefined of a coordinator. */
  readonly from: string | undefined;
  readonly answer: Outcome<unknown>;
}

export async function examinePorts(
  coordinators: readonly CoordinatorFacts[],
  nodes: readonly NodeView[],
): Promise<MetricsPort[]> {
  const owners = [
    ...coordinators.flatMap(({ address, itself }) => {
      if (itself.kind === 'failed') return [];
      return [
        { name: `coordinator ${address}`, address: URL.parse(itself.value.metricsUrl)?.host ?? '', from: undefined },
      ];
    }),
    ...connectedOf(nodes).map(({ id, metricsAddress, address: from }) => ({ name: id, address: metricsAddress, from })),
  ];
  return Promise.all(owners.map(async (owner) => ({ ...owner, answer: await ask(owner.address) })));
}

const NO_METRICS: Outcome<never> = { kind: 'failed', why: 'there are none', code: '' };

const ask = (address: string): Promise<Outcome<unknown>> =>
  address === '' ? Promise.resolve(NO_METRICS) : probe((signal) => getText(`http://${address}`, 'healthz', { signal }));

/** @param targets of Prometheus; undefined where it was not asked, or did not answer */
export function judgePorts(
  coordinators: readonly CoordinatorFacts[],
  metrics: readonly MetricsPort[],
  targets: readonly Target[] | undefined,
): Finding[] {
  const open = coordinators.filter(({ tcp }) => tcp.kind === 'answered');
  return [
    // One that is closed is a coordinator that cannot be reached, which is told there.
    ...open.map(({ address }) => about('ports', `gRPC ${address}`).ok('open')),
    ...metrics.map((port) => judgeMetrics(port, targets)),
  ];
}

function judgeMetrics({ name, address, from, answer }: MetricsPort, targets: readonly Target[] | undefined): Finding {
  const { ok, skipped, warning } = about('ports', `metrics of ${name}`);
  if (address === '') {
    const none = 'serves none';
    return targets === undefined ? ok(none) : warning(`${none}: Prometheus cannot see it`, 'start it with --metrics');
  }
  if (!isBeyondLoopback(address) && from !== undefined && isBeyondLoopback(from)) {
    const what = `says that they are at ${address}, which only its own host reaches`;
    return warning(what, 'give that node-agent --advertise-metrics HOST:PORT');
  }
  if (answer.kind === 'answered') return ok(`${address} answers`);
  const what = `${address} is not reachable from here (${answer.why})`;
  const seen = targets?.find((target) => target.address === address || target.node === name);
  if (targets === undefined) return skipped(`${what}; with --prometheus it is told whether Prometheus reaches it`);
  if (seen?.health === 'up') return ok(`${what}; Prometheus reaches it`);
  return skipped(`${what}; Prometheus is what counts: see there`);
}
