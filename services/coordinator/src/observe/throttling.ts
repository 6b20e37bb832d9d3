/**
 * For how long a quota has held each node back. A node tells it anew with each sign of life; what it tells may be less
 * than before, and nothing yet just after it has come back: to Prometheus either would be a counter that began anew, and
 * all of it would count again.
 */
import type { Reading } from '@regatta/observe';
import type { NodeRecord } from '../engine/fleet.ts';
import { isThere } from './readings.ts';

interface Told {
  /** Of which process. */
  readonly instance: string;
  readonly ms: number;
}

export class Throttling {
  /** Of all nodes that are remembered, lost ones too: they may come back. */
  #most: ReadonlyMap<string, Told> = new Map();

  /** In seconds, of the nodes that are there and have told it. */
  read(nodes: readonly NodeRecord[]): Reading<'node'>[] {
    const most = new Map<string, Told>();
    for (const { introduction, pulse } of nodes) {
      const { nodeId, instance } = introduction;
      const before = this.#most.get(nodeId);
      const known = before?.instance === instance ? before.ms : undefined;
      if (pulse.rssBytes > 0) most.set(nodeId, { instance, ms: Math.max(known ?? 0, pulse.throttledMs) });
      else if (known !== undefined) most.set(nodeId, { instance, ms: known });
    }
    this.#most = most;
    return nodes.filter(isThere).flatMap(({ introduction: { nodeId } }): Reading<'node'>[] => {
      const told = most.get(nodeId);
      return told === undefined ? [] : [[{ node: nodeId }, told.ms / 1000]];
    });
  }
}
