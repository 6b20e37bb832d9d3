/**
 * The coordinator's metrics: the tree, who fills it, and the server that tells it. Loaded only where metrics are asked
 * for: without them nothing is counted.
 */

import type { Broker } from '@regatta/broker';
import { createRegistry, Exposition, type ObserveServer, reachableAt, startObserving } from '@regatta/observe';
import type { MetricsDoor } from '@regatta/observe/options';
import type { Connections } from '../access/connections.ts';
import type { Refusals } from '../access/refusals.ts';
import { isFault } from '../agents/refused-nodes.ts';
import type { Coordinator, CoordinatorObserver } from '../coordinator.ts';
import type { Insides } from '../engine/revival.ts';
import { DOORS, JOURNALED, NODE_REFUSALS, ROLES_TAKEN, TOKEN_FAULTS } from './label-values.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { NatsFigures } from './nats-figures.ts';
import { only, readAll } from './readings.ts';
import { complaintOf, discoveryAnswer } from './service-discovery.ts';
import { StepCounts } from './step-counts.ts';
import { Throttling } from './throttling.ts';
import { Works } from './work.ts';

export interface MetricsOptions extends MetricsDoor {
  /** Where NATS tells of itself; undefined not to ask. */
  readonly natsMonitor: string | undefined;
}

export class Observing {
  readonly #options: MetricsOptions;
  readonly #registry = createRegistry();
  readonly #metrics: Metrics;
  readonly #works: Works;
  /** Of the engine that there is, or was last. */
  #counts: StepCounts | undefined;
  #server: ObserveServer | undefined;

  constructor(options: MetricsOptions, version: string) {
    this.#options = options;
    this.#metrics = createMetrics(this.#registry);
    this.#works = new Works(this.#metrics);
    this.#metrics.buildInfo.set({ service: 'coordinator', version }, 1);
    for (const kind of JOURNALED) this.#metrics.journalBytes.of({ kind });
    for (const role of ROLES_TAKEN) this.#metrics.leadershipChanges.of({ role });
    for (const reason of NODE_REFUSALS) this.#metrics.nodesRefused.of({ reason });
  }

  /** Where it is told; empty until it is. */
  get url(): string {
    return this.#server === undefined ? '' : `http://${reachableAt(this.#server.address)}/metrics`;
  }

  /** Is told of all that a new engine does. */
  readonly observe = (insides: Insides): StepCounts => {
    this.#counts = new StepCounts(this.#metrics, this.#works, insides);
    return this.#counts;
  };

  /** A run gets nowhere. */
  stuck(): void {
    this.#metrics.runStalls.add({});
  }

  /** @param code as the node was told */
  refusedNode(code: string): void {
    if (isFault(code)) this.#metrics.nodesRefused.add({ reason: code });
  }

  get observer(): CoordinatorObserver {
    const { journalWrite, journalBytes, journalSnapshots, journalRefusals, ...rest } = this.#metrics;
    const written = journalWrite.of({});
    return {
      wrote: (kind, bytes) => journalBytes.add({ kind }, bytes),
      stored: (ms) => written.add(ms),
      storedSnapshot: () => journalSnapshots.add({}),
      refused: () => journalRefusals.add({}),
      tookUp: (role) => rest.leadershipChanges.add({ role }),
      unreadable: () => rest.queueUnreadable.add({}),
      requeued: (runs) => rest.queueRequeued.add({}, runs),
    };
  }

  /** @throws RegattaError CANNOT_LISTEN */
  async serve(
    coordinator: Coordinator,
    broker: Broker | undefined,
    refusals: Pick<Refusals, 'counts' | 'note'>,
    connections: Pick<Connections, 'open' | 'closed'>,
  ): Promise<void> {
    const nats = new NatsFigures(this.#metrics, broker, this.#options.natsMonitor);
    const throttling = new Throttling();
    const exposition = new Exposition(this.#registry, async () => {
      // First: what is read after it is read at once, so that its parts fit each other.
      await nats.read(coordinator.leading !== undefined);
      readAll(this.#metrics, throttling, coordinator);
      this.#readCounts(coordinator, refusals.counts);
      this.#metrics.connections.set(connections.open);
      this.#metrics.connectionsClosed.of({}).value = connections.closed;
    });
    const { listen, token } = this.#options;
    this.#server = await startObserving({
      listen,
      token,
      exposition,
      onRefused: (reason, peer) => refusals.note('metrics', reason, peer),
      complaint: () => complaintOf(coordinator),
      routes: { '/sd': () => discoveryAnswer(coordinator) },
    });
  }

  close(): void {
    this.#server?.close();
  }

  #readCounts(coordinator: Coordinator, refused: Refusals['counts']): void {
    const leads = coordinator.leading !== undefined;
    this.#metrics.unaccounted.read(only(leads ? this.#counts?.unaccounted() : 0));
    this.#metrics.tokensRefused.read(
      DOORS.flatMap((door) => TOKEN_FAULTS.map((reason) => [{ door, reason }, refused[door][reason]] as const)),
    );
  }
}
