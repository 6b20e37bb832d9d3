/**
 * Outcomes on their way to the coordinator: gathered by run, since a message for each of many short chunks would be most
 * of their cost, cut to what NATS takes, and sent until its stream has them.
 */
import type { Broker } from '@regatta/broker';
import { outcomeSubject } from '@regatta/proto/queue-names';
import { Outbox } from '@regatta/proto/queue-outbox';
import { headers, type NatsConnection } from 'nats';
import type { Assignment, Outcome } from '../hosts/work.ts';
import { bytesOfOutcomes, bytesOfTaking, messageIdOf } from './codec.ts';
import { cutOutcome, sizeOf } from './cut.ts';
import { limits } from './limits.ts';

const MESSAGE_ID = 'Nats-Msg-Id';

interface OutcomeOutboxOptions {
  readonly nodeId: string;
  readonly incarnation: () => number;
  /** These are in the stream. */
  readonly onStored: (outcomes: readonly Outcome[]) => void;
  readonly onRefused: (reason: string) => void;
}

export class OutcomeOutbox {
  readonly #options: OutcomeOutboxOptions;
  readonly #outbox: Outbox;
  readonly #gathered = new Map<string, Outcome[]>();
  #gatheredBytes = 0;
  #flushPlanned: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #nc: NatsConnection | undefined;

  constructor(broker: Broker, options: OutcomeOutboxOptions) {
    this.#options = options;
    this.#outbox = new Outbox(broker, {
      ...limits,
      headersOf: (id) => {
        const header = headers();
        header.set(MESSAGE_ID, id);
        return header;
      },
      onRefused: options.onRefused,
    });
    broker.connected().then(
      ({ nc }) => {
        this.#nc = nc;
      },
      () => {},
    );
  }

  /** Of outcomes that NATS does not have yet. */
  get waitingBytes(): number {
    return this.#gatheredBytes + this.#outbox.waitingBytes;
  }

  add(outcome: Outcome): void {
    const { runId } = outcome;
    const others = this.#gathered.get(runId);
    if (others === undefined) this.#gathered.set(runId, [outcome]);
    else others.push(outcome);
    this.#gatheredBytes += sizeOf(outcome);
    this.#planFlush();
  }

  /** Rare: not gathered. */
  tellTaking({ runId, attemptId }: Assignment, deliveries: number): void {
    const { nodeId, incarnation } = this.#options;
    const id = `${runId}/${attemptId}/taken-${deliveries}`;
    const bytes = bytesOfTaking(nodeId, incarnation(), attemptId, deliveries);
    this.#outbox.send({ subject: outcomeSubject(runId), id, bytes, group: runId }, () => {});
  }

  flush(): void {
    this.#flushPlanned = undefined;
    this.#flushedAt = performance.now();
    this.#gatheredBytes = 0;
    for (const [runId, outcomes] of this.#gathered) this.#sendAll(runId, outcomes);
    this.#gathered.clear();
  }

  close(): void {
    this.flush();
    this.#outbox.close();
  }

  #planFlush(): void {
    if (this.#flushPlanned !== undefined) return;
    const waitMs = this.#flushedAt + limits.gatherMs - performance.now();
    this.#flushPlanned = waitMs <= 0 ? setImmediate(() => this.flush()) : setTimeout(() => this.flush(), waitMs);
  }

  #sendAll(runId: string, outcomes: readonly Outcome[]): void {
    const bytesMax = Math.min(limits.messageBytesMax, this.#nc?.info?.max_payload ?? limits.messageBytesMax);
    const payloadMax = bytesMax - limits.envelopeBytes;
    let batch: Outcome[] = [];
    let bytes = 0;
    for (const outcome of outcomes) {
      for (const piece of cutOutcome(outcome, payloadMax)) {
        const size = sizeOf(piece);
        if (batch.length > 0 && bytes + size > payloadMax) {
          this.#send(runId, batch);
          [batch, bytes] = [[], 0];
        }
        batch.push(piece);
        bytes += size;
      }
    }
    if (batch.length > 0) this.#send(runId, batch);
  }

  #send(runId: string, batch: readonly Outcome[]): void {
    const { nodeId, incarnation, onStored } = this.#options;
    const bytes = bytesOfOutcomes(nodeId, incarnation(), batch);
    const message = { subject: outcomeSubject(runId), id: messageIdOf(batch), bytes, group: runId };
    this.#outbox.send(message, () => onStored(batch));
  }
}
