/**
 * The agent's metrics: the tree, who fills it, and the server that tells it. Loaded only where metrics are asked for.
 * What happens often is counted as it is told to the coordinator; the rest is read when somebody scrapes.
 */
import { NowAndThen } from '@regatta/access';
import { counted } from '@regatta/kernel';
import { createRegistry, Exposition, type ObserveServer, reachableAt, startObserving } from '@regatta/observe';
import type { MetricsDoor } from '@regatta/observe/options';
import type { Logger } from 'pino';
import type { Queues } from '../fanout/queues.ts';
import type { Executor } from '../hosts/executor.ts';
import type { Outcome } from '../hosts/work.ts';
import { type HostLimits, limits } from '../limits.ts';
import type { Link } from '../link/link.ts';
import type { Machine } from '../machine/machine.ts';
import { TOKEN_FAULTS, type TokenFault } from './label-values.ts';
import { createMetrics } from './metrics.ts';
import { readAgent, readNode } from './readings.ts';
import { type Work, workOf } from './work.ts';

export interface MetricsOptions extends MetricsDoor {
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

const REFUSED = {
  missing: 'it gave no metrics token',
  wrong: 'its metrics token is wrong',
} as const satisfies Record<TokenFault, string>;

export class Observing {
  readonly #options: MetricsOptions;
  readonly #refusals: NowAndThen;
  readonly #registry = createRegistry();
  readonly #metrics = createMetrics(this.#registry);
  readonly #pushed: Work;
  readonly #pulled: Work;
  #server: ObserveServer | undefined;

  constructor(options: MetricsOptions, version: string, log: Pick<Logger, 'warn'>) {
    this.#options = options;
    this.#refusals = new NowAndThen(limits.refusalLogMs, (line) => log.warn(line));
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
      onRefused: (reason, peer) => this.#refused(reason, peer),
      complaint: () => (subject.link()?.connected === true ? undefined : 'this node has joined no coordinator'),
    });
  }

  close(): void {
    this.#server?.close();
  }

  #refused(reason: TokenFault, peer: string): void {
    this.#metrics.tokensRefused.add({ door: 'metrics', reason });
    const why = `${peer}: ${REFUSED[reason]}`;
    this.#refusals.note(
      `refused a look at metrics from ${why}`,
      (count) => `refused ${counted(count, 'more look')} at metrics, the last from ${why}`,
    );
  }
}
