/**
 * The queues of this node: a connection to NATS from when it is known where that is, and the chunks that are taken from
 * there. Runs may be pulled for before there is a connection; they begin when it is there.
 */
import { checkNats } from '@regatta/access';
import { Broker, hasCredentials, type NatsSite } from '@regatta/broker';
import { messageOf } from '@regatta/kernel';
import type { Logger } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import type { Outcome } from '../hosts/work.ts';
import { limits } from './limits.ts';
import { Puller } from './puller.ts';

export interface QueuesOptions {
  readonly nodeId: string;
  /** Undefined, or without servers, where the coordinator is to say where NATS is. */
  readonly nats: NatsSite | undefined;
  /** A NATS of which others can make use is to be put up with. */
  readonly insecure: boolean;
  readonly incarnation: () => number;
  readonly executor: Executor;
  readonly log: Logger;
}

export class Queues {
  readonly #options: QueuesOptions;
  #end: { readonly broker: Broker; readonly puller: Puller } | undefined;
  #behind: NodeJS.Timeout | undefined;
  /** Why what the coordinator says of NATS is of no use. */
  #refused = '';

  constructor(options: QueuesOptions) {
    this.#options = options;
    if (options.nats !== undefined && options.nats.servers.length > 0) this.#open(options.nats);
  }

  /** What the node was told by its own configuration is better. */
  found(servers: readonly string[]): void {
    if (this.#end !== undefined) return;
    const { nats, insecure, log } = this.#options;
    const site = { ...nats, servers };
    try {
      const warning = checkNats({ servers, hasCredentials: hasCredentials(site), insecure });
      if (warning !== undefined) log.warn(warning);
      this.#open(site);
    } catch (thrown) {
      if (this.#refused === '') log.warn(messageOf(thrown));
      this.#refused = messageOf(thrown);
    }
  }

  /** Chunks from queues that are here. */
  get held(): number {
    return this.#end?.puller.held ?? 0;
  }

  /** `usable` is undefined where there are no queues. */
  get figures() {
    const state = this.#end?.broker.state;
    const none = { first: 0, again: 0, tooOften: 0, unreadable: 0 };
    return {
      usable: state && state.kind === 'ready',
      held: this.held,
      pendingBytes: this.#end?.puller.waitingBytes ?? 0,
      deliveries: this.#end?.puller.deliveries ?? none,
    };
  }

  /** Why no chunks can be taken just now; empty where they can. */
  get complaint(): string {
    const state = this.#end?.broker.state;
    return state?.kind === 'waiting' ? state.complaint : this.#refused;
  }

  pull(runId: string, lanes: number): void {
    this.#end?.puller.pull(runId, lanes);
  }

  stop(runId: string): void {
    this.#end?.puller.stop(runId);
  }

  stopAll(): void {
    this.#end?.puller.stopAll();
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

  #open(nats: NatsSite): void {
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
