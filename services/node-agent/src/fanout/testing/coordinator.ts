/** A nats-server, and a coordinator as far as a node's queue sees one: queues chunks, and writes down what became of them. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Broker } from '@regatta/broker';
import { type NatsServer, startNats } from '@regatta/broker/testing';
import type { Assignment, Outcome } from '@regatta/proto/node';
import { Intake } from '@regatta/proto/queue-intake';
import { readOutcomes, writeWorkItem } from '@regatta/proto/queue-messages';
import * as names from '@regatta/proto/queue-names';
import { AckPolicy, type ConsumerInfo, nanos, RetentionPolicy } from 'nats';

const WAIT_MS_MAX = 30_000;

/** What one message said of one attempt. */
export interface Told {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly outcome: Outcome;
}

export class TestCoordinator {
  readonly nats: NatsServer;
  readonly broker: Broker;
  readonly told: Told[] = [];
  readonly takings: { nodeId: string; attemptId: number; deliveries: number }[] = [];
  readonly #news = new EventEmitter();
  readonly #intake: Intake;
  readonly #brokers: Broker[] = [];

  private constructor(nats: NatsServer) {
    this.nats = nats;
    this.broker = this.dial('coordinator');
    this.#intake = new Intake(this.broker, {
      stream: names.OUTCOME_STREAM,
      consumer: names.OUTCOME_CONSUMER,
      room: () => 100,
      atLeast: () => 1,
      onMessage: ({ data, handle }) => {
        const { nodeId, incarnation, outcomes, takings } = readOutcomes(data);
        for (const { attemptId, deliveries } of takings) this.takings.push({ nodeId, attemptId, deliveries });
        for (const outcome of outcomes) this.told.push({ nodeId, incarnation, outcome });
        this.#intake.ack(handle);
        this.#news.emit('news');
      },
      onMissing: () => {},
    });
  }

  /** With one run. @param maxPayload of the server, in bytes */
  static async start(runId: string, maxPayload = 1_048_576): Promise<TestCoordinator> {
    const coordinator = new TestCoordinator(await startNats({ config: `max_payload: ${maxPayload}` }));
    const { jsm } = await coordinator.broker.connected();
    const retention = RetentionPolicy.Workqueue;
    await jsm.streams.add({ name: names.WORK_STREAM, subjects: [names.WORK_SUBJECTS], retention });
    await jsm.streams.add({ name: names.OUTCOME_STREAM, subjects: [names.OUTCOME_SUBJECTS], retention });
    const durable = (name: string, subject: string) => ({
      durable_name: name,
      filter_subject: subject,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(names.ACK_WAIT_MS),
      max_deliver: -1,
    });
    await jsm.consumers.add(names.WORK_STREAM, durable(runId, names.workSubject(runId)));
    await jsm.consumers.add(names.OUTCOME_STREAM, durable(names.OUTCOME_CONSUMER, names.OUTCOME_SUBJECTS));
    coordinator.#intake.askAnew();
    return coordinator;
  }

  dial(name: string): Broker {
    const broker = new Broker({ servers: [this.nats.url], name });
    broker.onState(() => this.#news.emit('news'));
    this.#brokers.push(broker);
    return broker;
  }

  async queue(chunks: readonly Assignment[]): Promise<void> {
    await Promise.all(chunks.map((chunk) => this.say(chunk.runId, writeWorkItem({ assignment: chunk }))));
  }

  /** Whatever it is. */
  async say(runId: string, bytes: Uint8Array): Promise<void> {
    const { js } = await this.broker.connected();
    await js.publish(names.workSubject(runId), bytes);
  }

  /** Chunks in the stream, and those that nodes hold. */
  async chunksOf(runId: string): Promise<{ messages: number; held: number }> {
    const { jsm } = await this.broker.connected();
    const { state } = await jsm.streams.info(names.WORK_STREAM);
    return { messages: state.messages, held: (await this.consumerOf(runId)).num_ack_pending };
  }

  async consumerOf(runId: string): Promise<ConsumerInfo> {
    const { jsm } = await this.broker.connected();
    return jsm.consumers.info(names.WORK_STREAM, runId);
  }

  /** Of a server that was killed. Resolves when it can be asked again. */
  async restart(): Promise<void> {
    await this.until(() => this.broker.state.kind === 'waiting', 'the outage is noticed');
    await this.nats.restart();
    await this.until(() => this.broker.state.kind === 'ready', 'NATS is back');
  }

  heard(): void {
    this.#news.emit('news');
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
    await this.#intake.close();
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    await this.nats[Symbol.asyncDispose]();
  }
}

/** Chunk `n` of a run, of 10 tasks. */
export const chunk = (n: number, inputs: Uint8Array = new Uint8Array(0), runId = 'r'): Assignment => ({
  attemptId: n + 1,
  runId,
  from: 10 * n,
  to: 10 * n + 10,
  attempt: 1,
  alone: false,
  inputs,
});

export const chunks = (count: number): Assignment[] => Array.from({ length: count }, (_, n) => chunk(n));
