/** Who is handed chunks of a run: each of its nodes, for its share of it, or the queue that its nodes pull from. */
import { found } from './dump.ts';
import type { Shape } from './events.ts';
import type { Attempt, Node } from './node.ts';
import { lanesOf } from './shape.ts';

/** Where attempts lie until they end. */
export interface Holder {
  /** By id, in the order in which they were handed out. */
  readonly attempts: Map<number, Attempt>;
  /** Cores' worth of chunks held. */
  load: number;
}

/** What dispatching and the books of an attempt need to know of whoever is handed chunks of a run. */
export interface Taker {
  readonly holder: Holder;
  /** Cores' worth of one chunk: 1 / concurrency, as lanes of one thread share a core; a queue has no cores to fill. */
  readonly weight: number;
  readonly lanes: number;
  /** Chunks that it is kept supplied with beyond its lanes, where they are not short. */
  readonly ahead: number;
  /** It is handed chunks of this run. */
  readonly serves: boolean;
  /** How many it holds. */
  attempts: number;
  /** It holds a suspect, and so nothing else. */
  alone: boolean;
  /** Tasks per ms and lane, smoothed; 0 while unknown. */
  rate: number;
}

/** A node's part in a run. */
export interface Share extends Taker {
  readonly node: Node;
  /** Cores that the node has for this run. */
  readonly cores: number;
  /** With no zeros; fixed while the node keeps its incarnation. */
  readonly shape: Shape;
  /**
   * Its node works on the run. Otherwise it drains, or did and has lost its place to another; the share is kept all the
   * same, as the node may hold chunks, and has the run's order.
   */
  serves: boolean;
  /** The node has been sent the run's order. */
  opened: boolean;
}

/** A share that nothing was done with yet. */
export function idleShare(node: Node, cores: number, shape: Shape): Share {
  const lanes = lanesOf(shape);
  const width = { lanes, ahead: aheadOf(lanes), weight: 1 / shape.concurrency };
  return {
    node,
    holder: node,
    cores,
    shape,
    ...width,
    serves: false,
    attempts: 0,
    alone: false,
    rate: 0,
    opened: false,
  };
}

export type ShareDump = Pick<Share, 'cores' | 'shape' | 'serves' | 'attempts' | 'alone' | 'rate' | 'opened'> & {
  readonly nodeId: string;
};

export const dumpShare = ({ node, cores, shape, serves, attempts, alone, rate, opened }: Share): ShareDump => ({
  nodeId: node.id,
  cores,
  shape,
  serves,
  attempts,
  alone,
  rate,
  opened,
});

export function loadShare({ nodeId, cores, shape, ...books }: ShareDump, nodes: ReadonlyMap<string, Node>): Share {
  return { ...idleShare(found(nodes, nodeId), cores, shape), ...books };
}

/** Enough to hide the way of an order, and a small part of what a wide node works on. */
const aheadOf = (lanes: number): number => Math.min(lanes, Math.max(8, Math.ceil(lanes / 8)));

/** Takes an attempt off the books of who has it. */
export function vacate(attemptId: number, taker: Taker): void {
  const { holder } = taker;
  holder.attempts.delete(attemptId);
  holder.load = holder.attempts.size === 0 ? 0 : holder.load - taker.weight;
  taker.attempts--;
}
