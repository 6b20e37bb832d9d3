/** How the coordinator does and what bounds are kept to, in words and in JSON. */

import { counted } from '@regatta/kernel';
import { hasLostNats } from '../../embedded/cluster.ts';
import type { ClusterState } from '../../embedded/state.ts';
import { views as commandLimits } from '../limits.ts';
import type { CoordinatorView, NodeView } from '../views.ts';
import { bytes, milliseconds, whole } from './format.ts';
import { limitTables, nodeLimitTables } from './limits.ts';

/** @param up what `up` left behind, where it is that cluster */
export function statusObject(
  address: string,
  coordinator: CoordinatorView,
  nodes: readonly NodeView[],
  up: ClusterState | undefined,
): object {
  const { pid, natsServers, natsComplaint, journal, wantsToken, insecure } = coordinator;
  const refused = { missing: coordinator.refusedMissing, wrong: coordinator.refusedWrong };
  const server = up?.nats && { address: up.nats.address, pid: up.nats.pid, gone: hasLostNats(up) };
  return {
    coordinator: { pid, address, metrics: coordinator.metricsUrl || null },
    nats: { servers: natsServers, journal, complaint: natsComplaint || null, server: server ?? null },
    access: { token: wantsToken, insecure, refused },
    nodes: nodes.map(({ id, pid, state, cores, quota, lanes }) => ({ id, pid, state, cores, quota, lanes })),
  };
}

/** What becomes of runs when the coordinator ends, and how NATS does. */
export function natsText({ natsServers, natsComplaint, journal }: CoordinatorView, up?: ClusterState): string {
  const none = 'no journal: a coordinator that ends takes its runs with it (start with --nats)';
  const lines = [journal ? `journal: in NATS at ${natsServers.join(', ')}` : none];
  if (natsComplaint !== '') lines.push(`NATS cannot be used just now: ${natsComplaint}`);
  if (up?.nats !== undefined) {
    const { address, pid } = up.nats;
    lines.push(`nats-server of this cluster: at ${address}, ${hasLostNats(up) ? 'gone' : `pid ${pid}`}`);
  }
  return lines.join('\n');
}

/** What is open to others, a line each; nothing where all is as it should be. */
export const insecureText = ({ insecure }: CoordinatorView): string => insecure.join('\n');

/** Who is let in, and who was not. */
function accessText({ wantsToken, refusedMissing, refusedWrong }: CoordinatorView): string {
  const calls = counted(refusedMissing + refusedWrong, 'call');
  const refused = `${calls} refused, ${whole(refusedMissing)} without a token, ${whole(refusedWrong)} with a wrong one`;
  return wantsToken ? `access: by token; ${refused}` : 'access: no token is asked for';
}

export function verboseObject(status: object, coordinator: CoordinatorView, nodes: readonly NodeView[]): object {
  const nodeLimits = nodes.map(({ id, limits }) => ({ node: id, limits }));
  return { ...status, figures: coordinator, nodeLimits, commandLimits: commandLimits() };
}

export function verboseText(coordinator: CoordinatorView, nodes: readonly NodeView[]): string {
  const { version, uptimeMs, rssBytes, runsActive, runsKept, keptMemoryBytes, keptDiskBytes } = coordinator;
  const { steps, stepMeanUs, stepMaxUs } = coordinator;
  return [
    '',
    `version ${version}, up for ${milliseconds(uptimeMs)}, memory ${bytes(rssBytes)}`,
    `${counted(runsActive, 'run')} active, ${whole(runsKept)} remembered; results and inputs: ${bytes(keptMemoryBytes)} in memory, ${bytes(keptDiskBytes)} on disk`,
    `scheduler: ${counted(steps, 'step')}, mean ${stepMeanUs.toFixed(1)} µs, longest ${(stepMaxUs / 1000).toFixed(1)} ms`,
    accessText(coordinator),
    '',
    ...limitTables('the coordinator', coordinator.limits),
    ...nodeLimitTables(nodes),
    ...limitTables('the command line', commandLimits()),
  ].join('\n');
}
