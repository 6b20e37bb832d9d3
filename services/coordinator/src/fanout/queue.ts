/**
 * The coordinator's end of the queue: chunks of I/O runs go into a work-queue stream, from which nodes take them; what
 * became of them comes back in another. Owns streams and consumers; what a chunk is and what an outcome means is the
 * engine's.
 *
 * - W1: a chunk that was published is in the stream once, however often it was sent, and through any outage, until its
 *   run is withdrawn.
 * - W2: an outcome is handed on until it was acknowledged. It may come more than once, and after its run's end.
 * - W3: while NATS is away everything waits, and `complaint` says why.
 */
import type { Broker } from '@regatta/broker';
import { assert, messageOf, RegattaError } from '@regatta/kernel';
import { isQueueName, workMessageId, workSubject } from '@regatta/proto/queue-names';
import { Outbox } from '@regatta/proto/queue-outbox';
import { headers, type JetStreamManager, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { bytesOfItem, type WorkItem } from './codec.ts';
import { limits } from './limits.ts';
import { type Delivery, OutcomeInbox } from './outcomes.ts';
import { Persistence } from './persistence.ts';
import {
  type Depth,
  depthOf,
  ensureOutcomeConsumer,
  ensureRunConsumer,
  ensureStreams,
  purgeWork,
  removeRun,
  runsWithConsumers,
  type StreamAges,
} from './streams.ts';

const MESSAGE_ID = 'Nats-Msg-Id';
const MEBIBYTE = 2 ** 20;

export interface WorkQueueOptions {
  readonly onOutcome: (delivery: Delivery) => void;
  /** An unreadable message was put away; in a line, which is logged as well. */
  readonly onPoison?: (line: string) => void;
  /** A stream was lost with all that was in it: chunks of these runs, or outcomes, are gone and must be queued again. */
  readonly onLost?: (runIds: readonly string[]) => void;
  /** Copies on different servers of a NATS cluster: 1, 3 or 5. */
  readonly replicas?: number;
  readonly log: Logger;
}

export class WorkQueue {
  readonly #broker: Broker;
  readonly #options: WorkQueueOptions;
  readonly #outbox: Outbox;
  readonly #inbox: OutcomeInbox;
  readonly #persistence: Persistence;
  /** Open runs, each with what ends when NATS has what it needs. */
  readonly #runs = new Map<string, Promise<void>>();
  /** Those for which it has. */
  readonly #opened = new Set<string>();
  readonly #check: NodeJS.Timeout;
  readonly #endListening: () => void;
  #nc: NatsConnection | undefined;
  #ages: StreamAges | undefined;
  #consumerAge = '';
  #checking: Promise<void> | undefined;
  /** Of the last look after streams; told once. */
  #failure = '';

  constructor(broker: Broker, options: WorkQueueOptions) {
    const { log, onPoison, onOutcome } = options;
    this.#broker = broker;
    this.#options = options;
    this.#persistence = new Persistence(broker, limits.retryMs, (complaint) => log.warn(complaint));
    this.#outbox = new Outbox(broker, {
      ...limits,
      headersOf: (id) => {
        const header = headers();
        header.set(MESSAGE_ID, id);
        return header;
      },
      onRefused: (reason) => {
        log.warn(`NATS does not take chunks: ${reason}; trying again`);
        this.#look();
      },
    });
    this.#inbox = new OutcomeInbox(broker, {
      onOutcome,
      onPoison: (line) => {
        log.warn(line);
        onPoison?.(line);
      },
      onMissing: () => this.#look(),
    });
    this.#check = setInterval(() => this.#look(), limits.checkMs).unref();
    this.#endListening = broker.onState(({ kind }) => {
      if (kind === 'ready') this.#look();
    });
    broker.connected().then(
      ({ nc }) => {
        this.#nc = nc;
      },
      () => {},
    );
    this.#look();
  }

  /** Why nothing goes on, where that is NATS's doing. */
  get complaint(): string | undefined {
    const { state } = this.#broker;
    if (state.kind === 'waiting') return `NATS is away: ${state.complaint}`;
    if (this.#failure !== '') return this.#failure;
    if (this.#persistence.complaint !== '') return this.#persistence.complaint;
    return this.#outbox.refusal === '' ? undefined : `NATS does not take chunks: ${this.#outbox.refusal}`;
  }

  /** Bytes of chunks that NATS does not have yet. */
  get pendingBytes(): number {
    return this.#outbox.waitingBytes;
  }

  /** Messages of outcomes that are not stored yet. */
  get heldMessages(): number {
    return this.#inbox.heldMessages;
  }

  /** Unreadable messages, since this process began. */
  get poisoned(): number {
    return this.#inbox.poisoned;
  }

  /**
   * Resolves when nodes can take the run's chunks; while NATS is away, when it is back.
   * @throws RegattaError STREAM_DIFFERS
   */
  open(runId: string): Promise<void> {
    assert(isQueueName(runId), `a run's name is part of a subject: ${runId}`);
    const opening =
      this.#runs.get(runId) ??
      this.#checked().then(() => this.#persistence.do(`open run ${runId}`, (jsm) => ensureRunConsumer(jsm, runId)));
    this.#runs.set(runId, opening);
    opening.then(
      () => this.#runs.has(runId) && this.#opened.add(runId),
      () => this.#runs.delete(runId),
    );
    return opening;
  }

  /**
   * Queues a chunk of an open run. Takes it at once; see `pendingBytes`. An attempt that was queued is not queued again,
   * after it was withdrawn neither: what is to be done once more is another attempt.
   * @throws RegattaError QUEUE_ITEM_TOO_LARGE
   */
  publish(item: WorkItem): void {
    const { runId, attemptId } = item;
    assert(this.#runs.has(runId), `run ${runId} is not open`);
    const bytes = bytesOfItem(item);
    const bytesMax = (this.#nc?.info?.max_payload ?? MEBIBYTE) - limits.envelopeBytes;
    if (bytes.byteLength > bytesMax) throw tooLarge(item, bytes.byteLength, bytesMax);
    this.#outbox.send(
      { subject: workSubject(runId), id: workMessageId(runId, attemptId), bytes, group: runId },
      () => {},
    );
  }

  /** Resolves when nothing of the run is left to be taken. What nodes hold goes on. */
  async withdraw(runId: string): Promise<void> {
    await this.#outbox.drop(runId);
    await this.#persistence.do(`withdraw run ${runId}`, (jsm) => purgeWork(jsm, runId));
  }

  /** Removes all chunks of a run. Outcomes that are on their way still come. */
  async closeRun(runId: string): Promise<void> {
    const opening = this.#runs.get(runId);
    this.#runs.delete(runId);
    this.#opened.delete(runId);
    // A look that goes on could make its consumer anew.
    await Promise.allSettled([opening, this.#checking]);
    await this.#outbox.drop(runId);
    await this.#persistence.do(`close run ${runId}`, (jsm) => removeRun(jsm, runId));
    this.#inbox.forget(runId);
  }

  /** Removes what a coordinator before this one left behind. @param known runs that are to stay */
  async closeOthers(known: ReadonlySet<string>): Promise<void> {
    await this.#checked();
    const found = await this.#persistence.do('look for old runs', runsWithConsumers);
    for (const runId of found) if (!known.has(runId) && !this.#runs.has(runId)) await this.closeRun(runId);
  }

  /** Undefined while NATS does not tell. `unsent` chunks are not in the stream yet. */
  async depth(runId: string): Promise<(Depth & { readonly unsent: number }) | undefined> {
    if (this.#broker.state.kind !== 'ready') return undefined;
    const { jsm } = await this.#broker.connected();
    const depth = await depthOf(jsm, runId).catch(() => undefined);
    return depth && { ...depth, unsent: this.#outbox.waitingOf(runId) };
  }

  /** The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    clearInterval(this.#check);
    this.#endListening();
    this.#persistence.close();
    this.#outbox.close();
    await this.#inbox.close();
  }

  /** Sees to it that all is there. One look at a time. */
  #checked(): Promise<void> {
    this.#checking ??= this.#persistence
      .do('look after streams', (jsm) => this.#ensureAll(jsm))
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  #look(): void {
    this.#checked().then(
      () => {
        this.#failure = '';
      },
      (thrown) => {
        const failure = messageOf(thrown);
        if (failure !== this.#failure && !this.#persistence.closed) this.#options.log.error(failure);
        this.#failure = failure;
      },
    );
  }

  async #ensureAll(jsm: JetStreamManager): Promise<void> {
    const ages = await ensureStreams(jsm, this.#options.replicas ?? 1);
    const consumerAge = await ensureOutcomeConsumer(jsm);
    if (consumerAge !== this.#consumerAge) this.#inbox.begin();
    this.#consumerAge = consumerAge;
    const lost = (['work', 'outcomes'] as const).filter(
      (name) => this.#ages !== undefined && ages[name] !== this.#ages[name],
    );
    this.#ages = ages;
    const found = await runsWithConsumers(jsm);
    for (const runId of this.#opened) {
      if (found.has(runId)) continue;
      await ensureRunConsumer(jsm, runId);
      if (!lost.includes('work')) this.#options.log.warn(`run ${runId}: somebody removed its NATS consumer; made anew`);
    }
    if (lost.length === 0) return;
    this.#options.log.warn(`the NATS stream of ${lost.join(' and that of ')} was removed with all it had; made anew`);
    this.#options.onLost?.([...this.#opened]);
  }
}

function tooLarge({ runId, from, to }: WorkItem, bytes: number, bytesMax: number): RegattaError {
  const inMebibytes = (amount: number): string => `${(amount / MEBIBYTE).toFixed(2)} MiB`;
  const tasks = to - from === 1 ? `task ${from}` : `tasks ${from} to ${to - 1}`;
  return new RegattaError(
    'QUEUE_ITEM_TOO_LARGE',
    `run ${runId}: the inputs of ${tasks} are ${inMebibytes(bytes)}, more than the ${inMebibytes(bytesMax)} that a ` +
      'message on NATS may have (max_payload); use smaller chunks, or --transport grpc',
  );
}
