/**
 * Gives the orders that a step asks for: to nodes over their links, to a run's queue through the broker. At once, before
 * the step is written down anywhere: an order that outlives its coordinator is fenced by the scheduler.
 */
import type { Effect } from '@regatta/scheduler';
import { isPolite } from '../politeness/politeness.ts';
import type { Clock } from './clock.ts';
import type { Fleet, NodePort, RunOrder } from './fleet.ts';
import type { History } from './history.ts';
import type { QueueFeeder } from './queue-feeder.ts';

type Of<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;

interface Puller {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly serves: boolean;
}

export interface OrdersOptions {
  readonly history: History;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly feeder: QueueFeeder;
  /** Nodes that were told to pull chunks of a run, and whether that is still so. */
  readonly pullersOf: (runId: string) => readonly Puller[];
  readonly wakeAt: (at: number) => void;
}

const NO_INPUTS = new Uint8Array(0);

export class Orders {
  readonly #options: OrdersOptions;
  /** When each attempt that went into a queue did so. */
  readonly #publishedAt = new Map<number, number>();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  give(effect: Effect): void {
    const { fleet, feeder } = this.#options;
    switch (effect.kind) {
      case 'assign':
        return this.#assign(effect, effect.alone);
      case 'copy':
        return this.#assign(effect, false);
      case 'cancel':
        return fleet.port(effect.nodeId, effect.incarnation)?.cancel(effect.attemptId);
      case 'pull':
        return this.#pull(effect);
      case 'stopPull':
        return fleet.port(effect.nodeId, effect.incarnation)?.stopPull(effect.runId);
      case 'publish':
        this.#publishedAt.set(effect.attemptId, this.#options.clock.now());
        return feeder.publish(effect);
      case 'withdraw':
        return this.#withdraw(effect);
      case 'drain':
        return fleet.port(effect.nodeId, effect.incarnation)?.drain(effect.handBack);
      case 'runEnded':
        for (const { nodeId, incarnation } of effect.nodes) fleet.port(nodeId, incarnation)?.close(effect.runId);
        return;
      case 'wake':
        return this.#options.wakeAt(effect.at);
      default:
        return;
    }
  }

  open(port: NodePort, runId: string, shape: RunOrder['shape']): void {
    port.open(this.#orderOf(runId, shape));
  }

  /** How long ago the attempt was handed out; forgets it. */
  takeAwayMs(nodeId: string, attemptId: number): number | undefined {
    const sentAt = this.#options.fleet.find(nodeId)?.sentAt ?? this.#publishedAt;
    const books = this.#publishedAt.has(attemptId) ? this.#publishedAt : sentAt;
    const at = books.get(attemptId);
    books.delete(attemptId);
    return at === undefined ? undefined : this.#options.clock.now() - at;
  }

  #assign(effect: Of<'assign'> | Of<'copy'>, alone: boolean): void {
    const { nodeId, incarnation, attemptId, runId, from, to, attempt, open } = effect;
    const { fleet, history, clock } = this.#options;
    const port = fleet.port(nodeId, incarnation);
    // The node has gone while this step was under way; its loss is in the inbox.
    if (port === undefined) return;
    if (open !== undefined) this.open(port, runId, open);
    fleet.find(nodeId)!.sentAt.set(attemptId, clock.now());
    const run = history.get(runId);
    const read = run.hasInputs ? () => run.inputs?.slice(from, to) ?? NO_INPUTS : undefined;
    port.assign({ attemptId, runId, from, to, attempt, alone, inputs: read });
  }

  /** A node that asks for chunks of a queue that is not there yet would wait before it asks again. */
  #pull({ runId, nodeId, incarnation, shape }: Of<'pull'>): void {
    const { feeder, fleet, pullersOf } = this.#options;
    feeder.open(runId, () => {
      const puller = pullersOf(runId).find((other) => other.nodeId === nodeId && other.incarnation === incarnation);
      if (puller?.serves === true) fleet.port(nodeId, incarnation)?.pull(this.#orderOf(runId, shape));
    });
  }

  #orderOf(runId: string, shape: RunOrder['shape']): RunOrder {
    const { request } = this.#options.history.get(runId);
    const { workload, paramsJson, taskTimeoutMs } = request;
    return { runId, workload, paramsJson, shape, taskTimeoutMs, polite: isPolite(request) };
  }

  /** Whoever has taken one of them stops; nobody knows who that is. The queue is cleared once the step is safe. */
  #withdraw({ runId, attemptIds }: Of<'withdraw'>): void {
    const { fleet, pullersOf } = this.#options;
    for (const { nodeId, incarnation } of pullersOf(runId)) {
      const port = fleet.port(nodeId, incarnation);
      for (const attemptId of attemptIds) port?.cancel(attemptId);
    }
  }
}
