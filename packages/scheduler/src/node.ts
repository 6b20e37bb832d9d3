/** One incarnation of one node-agent: what it offers and what it holds. */

import { dumpHeld, type HolderDump } from './dump.ts';
import type { NodeOffer } from './events.ts';
import type { Chunk, Run } from './run.ts';
import type { Holder, Share, Taker } from './share.ts';
import type { AttemptState, NodeState } from './transitions.ts';

/** One try at a chunk, at one place or two. Tasks before `reported` are done. */
export interface Attempt extends Chunk {
  readonly id: number;
  readonly run: Run;
  /** Who has it; of two places the first, until that is gone. */
  taker: Taker;
  readonly assignedAt: number;
  reported: number;
  state: AttemptState;
  /** The second place, while there are two. */
  copy: Share | undefined;
  /** How often it was given a second place: then what one says the other may have said before. */
  copies: number;
  /** When it was last; 0 for never. */
  copiedAt: number;
}

export interface NodeDump {
  readonly offer: NodeOffer;
  readonly state: NodeState;
  /** Their ids. */
  readonly runs: readonly string[];
  readonly held: HolderDump;
}

export class Node implements Holder {
  readonly offer: NodeOffer;
  readonly workloads: ReadonlySet<string>;
  readonly attempts = new Map<number, Attempt>();
  /** Runs that this node has a part in. */
  readonly runs = new Set<Run>();
  /** Cores' worth of chunks held: 1 / concurrency each, as lanes of one thread share a core. */
  load = 0;
  state: NodeState = 'serving';

  constructor(offer: NodeOffer) {
    this.offer = offer;
    this.workloads = new Set(offer.workloads);
  }

  get id(): string {
    return this.offer.id;
  }

  /** It is handed chunks; otherwise it drains, or has drained. */
  get serves(): boolean {
    return this.state === 'serving';
  }

  /** Load by core: how full it is, beside other nodes. */
  get fullness(): number {
    return this.load / this.offer.cores;
  }

  dump(): NodeDump {
    const offer = { ...this.offer, workloads: [...this.offer.workloads] };
    return { offer, state: this.state, runs: Array.from(this.runs, (run) => run.id), held: dumpHeld(this) };
  }

  /** Without its runs and attempts, which hang on runs that are not there yet. */
  static load({ offer, state }: NodeDump): Node {
    const node = new Node(offer);
    node.state = state;
    return node;
  }
}
