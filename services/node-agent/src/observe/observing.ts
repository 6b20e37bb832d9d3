/**
 * The agent's metrics: the tree, who fills it, and the server that tells it. Loaded only where metrics are asked for.
 * What happens often is counted as it is told to the coordinator; the rest is read when somebody scrapes.
 */
import { createRegistry, Exposition, type ObserveServer, reachableAt, startObserving } from '@regatta/observe';
import type { Queues } from '../fanout/queues.ts';
import type { Executor } from '../hosts/executor.ts';
import type { Outcome } from '../hosts/work.ts';
import type { HostLimits } from '../limits.ts';
import type { Link } from '../link/link.ts';
import type { Machine } from '../machine/machine.ts';
import { TOKEN_FAULTS } from './label-values.ts';
import { createMetrics } from './metrics.ts';
import { readAgent, readNode } from './readings.ts';
import { type Work, workOf } from './work.ts';

export interface MetricsOptions {
  /** HOST:PORT; port 0 for any free one. */
  readonly listen: string;
  /** Asked of whoever wants to know more than whether it is well; undefined for nobody. */
  readonly token: string | undefined;
  /** HOST:PORT where Prometheus reaches it; undefined for where it listens. */
  readonly advertise: string | undefined;
}

/** What is told of. */
export interface Subject {
  readonly executor: Executor;
  readonly queues: Queues;
  /** Undefined until there is one. */
  readonly link: () => Link | undefined;
  readonly throttledMs: () => number;
  readonly hostLimits: HostLimits;
  readonly machine: Machine;
}

export class Observing {
  readonly #options: MetricsOptions;
  readonly #registry = createRegistry();
  readonly #metrics = createMetrics(this.#registry);
  readonly #pushed: Work;
  readonly #pulled: Work;
  #server: ObserveServer | undefined;

  constructor(options: MetricsOptions, version: string) {
    this.#options = options;
    this.#metrics.buildInfo.set({ service: 'node-agent', version }, 1);
    for (const reason of TOKEN_FAULTS) this.#metrics.tokensRefused.of({ door: 'metrics', reason });
    this.#pushed = workOf(this.#metrics, 'grpc');
    this.#pulled = workOf(this.#metrics, 'nats');
  }

  /** HOST:PORT for others to reach it; empty until it is served. */
  get address(): string {
    if (this.#server === undefined) return '';
    return this.#options.advertise ?? reachableAt(this.#server.address);
  }

  /** @param pulled whether it is of a chunk from a queue */
  told({ from, to, failures, timing, end }: Outcome, pulled: boolean): void {
    const work = pulled ? this.#pulled : this.#pushed;
    work.succeeded.value += to - from - failures.length;
    work.failed.value += failures.length;
    work.cpu.value += timing.cpuMs / 1000;
    work.laneTime.value += timing.laneMs / 1000;
    if (timing.waitMs > 0) work.wait.add(timing.waitMs);
    if (end.kind !== 'open') work.chunks[end.kind].value++;
  }

  /** @throws RegattaError CANNOT_LISTEN */
  async serve(subject: Subject): Promise<void> {
    const { listen, token } = this.#options;
    readNode(this.#metrics, subject);
    this.#server = await startObserving({
      listen,
      token,
      exposition: new Exposition(this.#registry, () => readAgent(this.#metrics, subject)),
      onRefused: (reason) => this.#metrics.tokensRefused.add({ door: 'metrics', reason }),
      complaint: () => (subject.link()?.connected === true ? undefined : 'this node has joined no coordinator'),
    });
  }

  close(): void {
    this.#server?.close();
  }
}
