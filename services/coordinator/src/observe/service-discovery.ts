/** Prometheus's http_sd: where the nodes are that can be scraped, each with its name. */
import type { Answer } from '@regatta/observe';
import type { NodeRecord } from '../engine/fleet.ts';

/** @param nodes those that this coordinator knows; none where it does not lead */
export function targetsAnswer(nodes: readonly NodeRecord[]): Answer {
  const targets = nodes.flatMap(({ introduction: { nodeId, metricsAddress = '' }, state, awaited }) =>
    state === 'lost' || awaited || metricsAddress === ''
      ? []
      : [{ targets: [metricsAddress], labels: { node: nodeId } }],
  );
  return { status: 200, type: 'application/json', body: JSON.stringify(targets) };
}
