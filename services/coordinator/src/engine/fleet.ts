/** What the coordinator knows of its nodes, dead or alive. */
import { type LimitView, RegattaError } from '@regatta/kernel';
import type { Shape } from '@regatta/scheduler';
import { ClockOffset } from './clock-offset.ts';
import { limits } from './limits.ts';
import { shown } from './shown.ts';

export interface Machine {
  readonly id: string;
  readonly hostname: string;
  readonly osCores: number;
  readonly quotaCores: number;
  readonly quotaLimited: boolean;
  readonly memoryBytes: number;
  readonly cores: number;
}

export interface WorkloadCard {
  readonly name: string;
  readonly kind: 'cpu' | 'io';
  readonly summary: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string;
    readonly defaultJson: string;
    readonly unit: string;
    readonly description: string;
  }[];
}

/** Who a node says it is. */
export interface Introduction {
  readonly nodeId: string;
  readonly machine: Machine;
  readonly workloads: readonly WorkloadCard[];
  readonly runtime: string;
  readonly version: string;
  readonly pid: number;
  /** Equal for all connections of one agent process. */
  readonly instance: string;
  readonly address: string;
  /** HOST:PORT where its metrics are; empty, or missing where it was written down by an earlier coordinator, for none. */
  readonly metricsAddress?: string;
  /** Version of the link that it speaks with us; missing likewise. */
  readonly protocol?: number;
  /** Runs that it still pulls for, of an earlier connection. */
  readonly pulls: readonly string[];
  /** What it keeps to. */
  readonly limits: readonly LimitView[];
}

export interface RunOrder {
  readonly runId: string;
  readonly workload: string;
  readonly paramsJson: string;
  readonly shape: Shape;
  readonly taskTimeoutMs: number;
  /** Its tasks talk to their targets by permit only. */
  readonly polite: boolean;
}

export interface Assignment {
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  /** It may have killed a host process: it gets one to itself. */
  readonly alone: boolean;
  /** Reads a pack of the tasks' inputs, when it is about to be sent; undefined where the run has none. */
  readonly inputs: (() => Uint8Array) | undefined;
}

/** Where orders for one node go. Takes them at once, sends them in batches. */
export interface NodePort {
  open(order: RunOrder): void;
  assign(assignment: Assignment): void;
  /** The node is to take chunks of this run from its queue. */
  pull(order: RunOrder): void;
  /** It is to take no more of them; what it holds goes on. */
  stopPull(runId: string): void;
  /** The attempt is over: its inputs are no longer at the node. */
  ended(attemptId: number): void;
  cancel(attemptId: number): void;
  close(runId: string): void;
  /** Chunks that no lane has begun come back; with `handBack` all of them do. */
  drain(handBack: boolean): void;
  /** Ends the connection, for a reason that the node is told. */
  hangUp(reason: string): void;
}

export interface Pulse {
  readonly rssBytes: number;
  readonly hosts: number;
  readonly throttledMs: number;
  /** Chunks from queues that it holds. */
  readonly pulled: number;
  /** Why it cannot take any; empty where it can. */
  readonly queueComplaint: string;
  /** Its clock as it said this, Unix time; 0 where it does not tell. */
  readonly wallMs: number;
  /** Of what it said before; 0 where it does not know. */
  readonly roundTripMs: number;
}

/** `drained`: it gets no work and has none left. */
export type NodeState = 'alive' | 'draining' | 'drained' | 'lost';

export interface NodeRecord {
  readonly introduction: Introduction;
  readonly incarnation: number;
  port: NodePort;
  /** It was connected to an earlier coordinator, and may come back. */
  awaited: boolean;
  state: NodeState;
  /** It holds nothing that was assigned to it, and is to get nothing more. */
  emptied: boolean;
  /** It was asked to drain, and not to resume since. */
  drains: boolean;
  /** Its process is about to end. */
  leaves: boolean;
  pulse: Pulse;
  /** Its clock against ours. */
  readonly clock: ClockOffset;
  lastSeenMs: number;
  /** When each attempt in flight was sent. */
  readonly sentAt: Map<number, number>;
}

export type FleetDump = readonly {
  readonly introduction: Introduction;
  readonly incarnation: number;
  readonly own: Pick<NodeRecord, 'state' | 'drains' | 'emptied'>;
}[];

const nothing = (): void => {};
const NOWHERE: NodePort = {
  open: nothing,
  assign: nothing,
  pull: nothing,
  stopPull: nothing,
  ended: nothing,
  cancel: nothing,
  close: nothing,
  drain: nothing,
  hangUp: nothing,
};

/** All of them, by their names: the newest incarnation of each, and for a while those that were lost. */
export class Fleet {
  readonly #records = new Map<string, NodeRecord>();

  list(): NodeRecord[] {
    return [...this.#records.values()];
  }

  find(nodeId: string): NodeRecord | undefined {
    return this.#records.get(nodeId);
  }

  /** The node, where this is still its incarnation. */
  at(nodeId: string, incarnation: number): NodeRecord | undefined {
    const node = this.#records.get(nodeId);
    return node?.incarnation === incarnation ? node : undefined;
  }

  /** Where orders for it go; undefined where it is lost. */
  port(nodeId: string, incarnation: number): NodePort | undefined {
    const node = this.at(nodeId, incarnation);
    return node === undefined || node.state === 'lost' ? undefined : node.port;
  }

  /** @throws RegattaError NO_SUCH_NODE */
  connected(nodeId: string): NodeRecord {
    const node = this.#records.get(nodeId);
    if (node !== undefined && node.state !== 'lost') return node;
    const names = this.#connected().map(({ introduction }) => introduction.nodeId);
    const known = shown(names.join(', ') || 'none', limits.namesCharactersMax);
    throw new RegattaError('NO_SUCH_NODE', `no node ${shown(nodeId)} is connected; there are: ${known}`);
  }

  dump(): FleetDump {
    const nodes = this.#connected();
    return nodes.map(({ introduction, incarnation, state, drains, emptied }) => ({
      introduction,
      incarnation,
      own: { state, drains, emptied },
    }));
  }

  load(dump: FleetDump): void {
    for (const { introduction, incarnation, own } of dump) {
      this.await(introduction, incarnation);
      Object.assign(this.#records.get(introduction.nodeId)!, own);
    }
  }

  /** A node that an earlier coordinator had: orders to it go nowhere until it is back. */
  await(introduction: Introduction, incarnation: number): void {
    this.add(introduction, incarnation, NOWHERE);
    this.#records.get(introduction.nodeId)!.awaited = true;
  }

  lost(nodeId: string, incarnation: number): NodeRecord | undefined {
    const node = this.at(nodeId, incarnation);
    if (node === undefined || node.state === 'lost') return undefined;
    node.state = 'lost';
    node.awaited = false;
    node.sentAt.clear();
    return node;
  }

  /** It went on purpose, and is not one of ours any more. */
  left(nodeId: string, incarnation: number): NodeRecord | undefined {
    const node = this.at(nodeId, incarnation);
    if (node === undefined || node.state === 'lost') return undefined;
    this.#records.delete(nodeId);
    return node;
  }

  /** It was asked to drain, or not to any more. */
  drains(nodeId: string, incarnation: number, drains: boolean): void {
    const node = this.at(nodeId, incarnation);
    if (node === undefined) return;
    node.drains = drains;
    if (drains) {
      if (node.state === 'alive') node.state = 'draining';
    } else {
      node.emptied = false;
      node.state = 'alive';
    }
  }

  /** It holds nothing that was assigned to it. @param pulls it may hold what it took from queues: its heartbeats tell */
  emptied(nodeId: string, incarnation: number, pulls: boolean): void {
    const node = this.at(nodeId, incarnation);
    if (node === undefined) return;
    node.emptied = true;
    if (!pulls && node.state === 'draining') node.state = 'drained';
  }

  add(introduction: Introduction, incarnation: number, port: NodePort): void {
    const pulse = { rssBytes: 0, hosts: 0, throttledMs: 0, pulled: 0, queueComplaint: '', wallMs: 0, roundTripMs: 0 };
    const life = {
      state: 'alive' as const,
      awaited: false,
      drains: false,
      leaves: false,
      emptied: false,
      pulse,
      clock: new ClockOffset(),
      lastSeenMs: Date.now(),
      sentAt: new Map<number, number>(),
    };
    this.#records.set(introduction.nodeId, { introduction, incarnation, port, ...life });
    this.#forgetLost();
  }

  /** What the connected ones offer, each once. */
  workloads(): WorkloadCard[] {
    const cards = new Map<string, WorkloadCard>();
    for (const { introduction } of this.#connected()) {
      for (const card of introduction.workloads) cards.set(card.name, card);
    }
    return [...cards.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #connected(): NodeRecord[] {
    return this.list().filter(({ state }) => state !== 'lost');
  }

  #forgetLost(): void {
    const lost = this.list().filter(({ state }) => state === 'lost');
    lost.sort((a, b) => a.lastSeenMs - b.lastSeenMs);
    for (const { introduction } of lost.slice(0, Math.max(0, lost.length - limits.lostNodesMax))) {
      this.#records.delete(introduction.nodeId);
    }
  }
}
