/**
 * The queues of this node: a connection to NATS from when it is known where that is, and the chunks that are taken from
 * there. Runs may be pulled for before there is a connection; they begin when it is there.
 */
import { Broker, type BrokerOptions } from '@regatta/broker';
import type { Logger } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import type { Outcome } from '../hosts/work.ts';
import { limits } from './limits.ts';
import { Puller } from './puller.ts';

export interface QueuesOptions {
  readonly nodeId: string;
  /** Undefined where the coordinator is to say where NATS is. */
  readonly nats: Omit<BrokerOptions, 'name'> | undefined;
  readonly incarnation: () => number;
  readonly executor: Executor;
  readonly log: Logger;
}

export class Queues {
  readonly #options: QueuesOptions;
  #end: { readonly broker: Broker; readonly puller: Puller } | undefined;
  #behind: NodeJS.Timeout | undefined;

  constructor(options: QueuesOptions) {
    this.#options = options;
    if (options.nats !== undefined) this.#open(options.nats);
  }

  /** What the node was told by its own configuration is better. */
  found(servers: readonly string[]): void {
    if (this.#end === undefined) this.#open({ servers });
  }

  /** Chunks from queues that are here. */
  get held(): number {
    return this.#end?.puller.held ?? 0;
  }

  /** Why no chunks can be taken just now; empty where they can. */
  get complaint(): string {
    const state = this.#end?.broker.state;
    return state?.kind === 'waiting' ? state.complaint : '';
  }

  pull(runId: string, lanes: number): void {
    this.#end?.puller.pull(runId, lanes);
  }

  stop(runId: string): void {
    this.#end?.puller.stop(runId);
  }

  handBack(): void {
    this.#end?.puller.handBack();
  }

  /** @returns whether the attempt came from a queue */
  report(outcome: Outcome): boolean {
    const ours = this.#end?.puller.report(outcome) ?? false;
    if (ours) this.#weigh();
    return ours;
  }

  async close(): Promise<void> {
    clearInterval(this.#behind);
    await this.#end?.puller.close();
    await this.#end?.broker.close();
  }

  get #name(): string {
    return `regatta node ${this.#options.nodeId}`;
  }

  #open(nats: Omit<BrokerOptions, 'name'>): void {
    const { nodeId, incarnation, executor, log } = this.#options;
    const broker = new Broker({ ...nats, name: this.#name });
    let said = '';
    broker.onState((state) => {
      const line = state.kind === 'waiting' ? state.complaint : 'NATS is ready';
      if (state.kind !== 'closed' && line !== said) log[state.kind === 'ready' ? 'info' : 'warn'](line);
      said = line;
    });
    this.#end = { broker, puller: new Puller(broker, { nodeId, incarnation, executor, log }) };
  }

  /** While NATS is away outcomes pile up here: past a bound no task begins. */
  #weigh(): void {
    const { puller } = this.#end!;
    if (this.#behind !== undefined || puller.waitingBytes <= limits.waitingBytesMax) return;
    this.#options.executor.hold(true, 'queues');
    this.#behind = setInterval(() => {
      if (puller.waitingBytes > limits.waitingBytesMax / 2) return;
      clearInterval(this.#behind);
      this.#behind = undefined;
      this.#options.executor.hold(false, 'queues');
    }, limits.lookMs);
  }
}
