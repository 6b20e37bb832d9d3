/** Nodes that were refused and are not here since: what is wrong with them only their coordinator and their own log know. */
import { limits } from '../engine/limits.ts';
import { shown } from '../engine/shown.ts';

export interface RefusedNode {
  /** As it calls itself; empty where it did not come to that. */
  readonly nodeId: string;
  readonly address: string;
  readonly code: string;
  readonly message: string;
  /** Of the last time, Unix time. */
  readonly atMs: number;
  readonly times: number;
}

/** Looking for the one that leads, and having been silent for long, are no faults of a node. */
const NO_FAULTS: ReadonlySet<string> = new Set(['NOT_LEADING', 'LEASE_EXPIRED']);

/** Whether somebody should look at a node that was refused with this code. */
export const isFault = (code: string): boolean => !NO_FAULTS.has(code);

export class RefusedNodes {
  /** By who and why; the newest last. */
  readonly #refused = new Map<string, RefusedNode>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  note({ nodeId, address, code, message }: Pick<RefusedNode, 'nodeId' | 'address' | 'code' | 'message'>): void {
    if (!isFault(code)) return;
    // A node that tries again does so from another port.
    const host = address.slice(0, Math.max(0, address.lastIndexOf(':')));
    const name = nodeId === '' ? '' : shown(nodeId);
    const key = `${name} ${host} ${code}`;
    const times = (this.#refused.get(key)?.times ?? 0) + 1;
    this.#refused.delete(key);
    const text = shown(message, limits.reasonCharactersMax);
    this.#refused.set(key, { nodeId: name, address, code, message: text, atMs: this.#now(), times });
    const oldest = this.#refused.keys().next();
    if (this.#refused.size > limits.refusedNodesMax) this.#refused.delete(oldest.value!);
  }

  /** It has joined. */
  forget(nodeId: string): void {
    for (const [key, refused] of this.#refused) if (refused.nodeId === shown(nodeId)) this.#refused.delete(key);
  }

  /** The newest first. */
  list(): RefusedNode[] {
    const since = this.#now() - limits.refusedNodeMsMax;
    return [...this.#refused.values()].filter(({ atMs }) => atMs >= since).reverse();
  }
}
