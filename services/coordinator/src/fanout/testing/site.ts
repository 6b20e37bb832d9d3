/** A nats-server, a queue and a run on it, with what they say written down. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import { pino } from 'pino';
import type { WorkItem } from '../codec.ts';
import type { Delivery } from '../outcomes.ts';
import { WorkQueue } from '../queue.ts';
import { TestNode } from './node.ts';

const WAIT_MS_MAX = 30_000;

export class Site {
  readonly nats: NatsServer;
  readonly broker: Broker;
  readonly queue: WorkQueue;
  readonly deliveries: Delivery[] = [];
  readonly poisons: string[] = [];
  readonly lost: string[][] = [];
  readonly #news = new EventEmitter();
  readonly #nodes: TestNode[] = [];
  readonly #brokers: Broker[] = [];
  readonly #queues: WorkQueue[] = [];

  private constructor(nats: NatsServer) {
    this.nats = nats;
    this.broker = this.dial('coordinator');
    this.queue = this.newQueue((delivery) => this.deliveries.push(delivery));
  }

  /** @param config of the server */
  static async start(config = ''): Promise<Site> {
    return new Site(await startNats({ config }));
  }

  dial(name: string): Broker {
    const broker = new Broker({ servers: [this.nats.url], name });
    broker.onState(() => this.#news.emit('news'));
    this.#brokers.push(broker);
    return broker;
  }

  newQueue(onOutcome: (delivery: Delivery) => void): WorkQueue {
    const queue = new WorkQueue(this.broker, {
      onOutcome: (delivery) => {
        onOutcome(delivery);
        this.#news.emit('news');
      },
      onPoison: (line) => {
        this.poisons.push(line);
        this.#news.emit('news');
      },
      onLost: (runIds) => {
        this.lost.push([...runIds]);
        this.#news.emit('news');
      },
      log: pino({ level: 'silent' }),
    });
    this.#queues.push(queue);
    return queue;
  }

  node(runId: string, options: { nodeId?: string; room?: number } = {}): TestNode {
    const broker = this.dial(options.nodeId ?? 'a');
    const node = new TestNode(broker, runId, { ...options, onTaken: () => this.#news.emit('news') });
    this.#nodes.push(node);
    return node;
  }

  /** Looks again whenever something is heard; at what NATS alone knows, every now and then. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const giveUpAt = performance.now() + WAIT_MS_MAX;
    while (!(await condition())) {
      if (performance.now() > giveUpAt) assert.fail(`waited in vain until ${what}`);
      await once(this.#news, 'news', { signal: AbortSignal.timeout(50) }).catch(() => {});
    }
  }

  async end(): Promise<void> {
    await Promise.all([...this.#queues, ...this.#nodes].map((part) => part.close()));
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    await this.nats[Symbol.asyncDispose]();
  }
}

/** Chunk `n` of a run, of 10 tasks. */
export const chunk = (runId: string, n: number, inputs: Uint8Array = new Uint8Array(0)): WorkItem => ({
  runId,
  attemptId: n + 1,
  from: 10 * n,
  to: 10 * n + 10,
  attempt: 1,
  alone: false,
  inputs,
});
