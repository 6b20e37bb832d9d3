/**
 * The coordinator's metrics: the tree, who fills it, and the server that tells it. Loaded only where metrics are asked
 * for: without them nothing is counted.
 */

import type { Broker } from '@regatta/broker';
import { createRegistry, Exposition, type ObserveServer, reachableAt, startObserving } from '@regatta/observe';
import type { Coordinator, CoordinatorObserver } from '../coordinator.ts';
import type { Insides } from '../engine/revival.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { NatsFigures } from './nats-figures.ts';
import { only, readAll } from './readings.ts';
import { targetsAnswer } from './service-discovery.ts';
import { StepCounts } from './step-counts.ts';
import { Works } from './work.ts';

export interface MetricsOptions {
  /** HOST:PORT; port 0 for any free one. */
  readonly listen: string;
  /** Asked of whoever wants to know more than whether it is well; undefined for nobody. */
  readonly token: string | undefined;
  /** Where NATS tells of itself; undefined not to ask. */
  readonly natsMonitor: string | undefined;
}

/** Calls that were refused so far. */
interface Refused {
  readonly missing: number;
  readonly wrong: number;
}

/** Without a word of where NATS is: everybody may ask. */
function complaintOf({ role, natsUp }: Coordinator): string | undefined {
  if (role !== 'idle') return undefined;
  return natsUp === false
    ? 'no coordinator leads yet: NATS cannot be used, and the log says why'
    : 'no coordinator leads yet';
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
    for (const kind of ['events', 'results', 'ended', 'inputs', 'snapshot']) this.#metrics.journalBytes.of({ kind });
    for (const role of ['leading', 'standing-by']) this.#metrics.leadershipChanges.of({ role });
    for (const reason of ['NAME_TAKEN', 'PROTOCOL_VERSION', 'BAD_FRAME']) {
      this.#metrics.nodesRefused.of({ reason });
    }
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
    // It looks for the one that leads, or was silent for long and joins anew: that is no trouble.
    if (code === 'NOT_LEADING' || code === 'LEASE_EXPIRED') return;
    this.#metrics.nodesRefused.add({ reason: code });
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
    refusals: { readonly counts: Refused; note(reason: 'missing' | 'wrong', peer: string): void },
  ): Promise<void> {
    const nats = new NatsFigures(this.#metrics, broker, this.#options.natsMonitor);
    const exposition = new Exposition(this.#registry, async () => {
      // First: what is read after it is read at once, so that its parts fit each other.
      await nats.read(coordinator.leading !== undefined);
      readAll(this.#metrics, coordinator);
      this.#readCounts(coordinator, refusals.counts);
    });
    const { listen, token } = this.#options;
    this.#server = await startObserving({
      listen,
      token,
      exposition,
      onRefused: (reason, peer) => refusals.note(reason, peer),
      complaint: () => complaintOf(coordinator),
      routes: { '/sd': () => targetsAnswer(coordinator.leading?.nodes() ?? []) },
    });
  }

  close(): void {
    this.#server?.close();
  }

  #readCounts(coordinator: Coordinator, { missing, wrong }: Refused): void {
    const leads = coordinator.leading !== undefined;
    this.#metrics.unaccounted.read(only(leads ? this.#counts?.unaccounted() : 0));
    this.#metrics.tokensRefused.read([
      [{ reason: 'missing' }, missing],
      [{ reason: 'wrong' }, wrong],
    ]);
  }
}
