/**
 * Prometheus's http_sd: where the nodes are that can be scraped, each with its name.
 *
 * - S1: a node that was lost, or is awaited, is still looked for: that it does not answer, or answers that it has no
 *   coordinator, is what Prometheus is to see.
 * - S2: who cannot say where nodes are refuses to: Prometheus keeps the list that it has, where `[]` would end it.
 */
import type { Answer } from '@regatta/observe';
import type { Coordinator } from '../coordinator.ts';
import type { NodeRecord } from '../engine/fleet.ts';
import { limits } from './limits.ts';
import { isThere } from './readings.ts';

/** Without a word of where NATS is: everybody may ask. */
export function complaintOf({ role, natsUp }: Coordinator): string | undefined {
  if (role !== 'idle') return undefined;
  return natsUp === false
    ? 'no coordinator leads yet: NATS cannot be used, and the log says why'
    : 'no coordinator leads yet';
}

/** One that stands by has none: the one that leads tells them. */
export function discoveryAnswer(coordinator: Coordinator): Answer {
  // S2.
  const complaint = complaintOf(coordinator);
  if (complaint !== undefined) return { status: 503, type: 'text/plain; charset=utf-8', body: `${complaint}\n` };
  const targets = targetsOf(coordinator.leading?.nodes() ?? [], Date.now());
  return { status: 200, type: 'application/json', body: JSON.stringify(targets) };
}

interface Target {
  readonly targets: readonly [string];
  readonly labels: { readonly node: string };
}

/** @param nodes all that are remembered. @param now Unix time, ms */
function targetsOf(nodes: readonly NodeRecord[], now: number): Target[] {
  const wanted = nodes.filter(({ state, lastSeenMs }) => state !== 'lost' || now - lastSeenMs < limits.lostNodeMs);
  // Those that are there first, the last heard of the others next: who has their address now is no longer they.
  wanted.sort((a, b) => Number(isThere(b)) - Number(isThere(a)) || (isThere(a) ? 0 : b.lastSeenMs - a.lastSeenMs));
  const taken = new Set<string>();
  return wanted.flatMap((node): Target[] => {
    const { nodeId, metricsAddress = '' } = node.introduction;
    if (metricsAddress === '' || (!isThere(node) && taken.has(metricsAddress))) return [];
    taken.add(metricsAddress);
    return [{ targets: [metricsAddress], labels: { node: nodeId } }];
  });
}
