/**
 * The agent's link to its coordinator: one bidirectional stream, dialled from here, so that a node may sit behind NAT.
 * Says hello, obeys, reports, and comes back after every break: as a new incarnation, with nothing left of the old; or, to
 * a coordinator that has its predecessor's journal, as what it was, with what it holds and what was not acknowledged.
 *
 * - K1: outcomes are sent in batches, and wait while the stream is full; when they are many bytes, no task begins.
 * - K2: without an answer to heartbeats for a lease's time the coordinator counts as gone: work is dropped, as it
 *   counts us gone too and has given the work to others. Where it keeps a journal the work goes on for a while: there may
 *   be a next one who knows of it.
 * - K3: a node that leaves says so on each connection, before anything else: what it lets go of must not come back to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { messageOf, RegattaError } from '@regatta/kernel';
import type { ConnectRequest, ConnectResponse, Refusal, Welcome, Work } from '@regatta/proto/node';
import type { Logger } from 'pino';
import type { Executor } from '../hosts/executor.ts';
import type { Outcome, RunOrder } from '../hosts/work.ts';
import { limits } from '../limits.ts';
import type { LateFailure } from '../worker/messages.ts';
import { Backoff } from './backoff.ts';
import { dial, showing } from './channel.ts';
import { assignmentOf, helloOf, type Introduction, type Leftovers, runOrderOf, wireOutcomeOf } from './codec.ts';
import { explainEnd } from './complaint.ts';
import { Heartbeat, type Pulse } from './heartbeat.ts';
import { Outbox } from './outbox.ts';

/** How a connection ends that had no token, or a wrong one. */
const TOKEN_REFUSED = 'TOKEN_REFUSED';

type Stream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

/** How a connection ended. */
interface Ending {
  readonly complaint: string;
  /** The coordinator's, where it refused us. */
  readonly code: string;
}

/** The node's end of the queues that I/O runs go through. */
export interface Queues {
  /** The coordinator says where they are. */
  found(servers: readonly string[]): void;
  pull(runId: string, lanes: number): void;
  stop(runId: string): void;
  stopAll(): void;
}

export interface LinkOptions {
  /** Of the coordinators of one cluster. The one that leads is found among them. */
  readonly addresses: readonly string[];
  /** Asked for anew at each try: it may have been replaced. Undefined, or gives nothing, to show none. */
  readonly token?: () => string | undefined;
  readonly introduction: Introduction;
  readonly executor: Executor;
  readonly queues: Queues;
  readonly pulse: () => Pulse;
  readonly log: Logger;
  readonly onWelcome: () => void;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #backoff = new Backoff(limits.reconnectMsMin, limits.reconnectMsMax);
  readonly #closing = new AbortController();
  readonly #outbox: Outbox;
  #stream: Stream | undefined;
  /** What the coordinator knows outlives it: what it gave us may be known to its successor. */
  #durable = false;
  /** When a coordinator was last there. */
  #connectedAt = Number.NEGATIVE_INFINITY;
  #full = false;
  #flushPlanned = false;
  #incarnation = 0;
  #joins = 0;
  #welcome = false;
  #flushedAt = Number.NEGATIVE_INFINITY;
  /** What was said of failures to connect: each once, not at every try. */
  readonly #complaints = new Set<string>();
  /** Which of the addresses is next. */
  #turn = 0;
  /** This node is about to end. */
  #leaving = false;
  /** The coordinator that is there knows, and has ordered all that it will. */
  #released = false;
  /** Of the connection that there is, or was last. */
  #ending: Promise<Ending> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#outbox = new Outbox((on) => options.executor.hold(on, 'link'));
  }

  /**
   * Connects, again and again, until closed.
   * @throws RegattaError PROTOCOL_VERSION where coordinator and agent cannot understand each other: trying again is no use
   */
  async run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#ending = this.#connectOnce();
      const { complaint, code } = await this.#ending;
      if (!this.#durable || performance.now() - this.#connectedAt > limits.resumeMsMax) this.#forget();
      if (code === 'PROTOCOL_VERSION') throw new RegattaError(code, complaint);
      if (this.#closing.signal.aborted) return;
      if (!this.#complaints.has(complaint)) this.#options.log.warn(complaint);
      this.#complaints.add(complaint);
      await this.#beforeNextTry(code);
    }
  }

  /** The others at once; then all of them again after a while, which is short where one of them is about to lead. */
  async #beforeNextTry(code: string): Promise<void> {
    this.#turn = (this.#turn + 1) % this.#options.addresses.length;
    if (this.#turn > 0) return;
    if (code === TOKEN_REFUSED) return this.#rest(limits.refusedRetryMs);
    const seeking = this.#durable || code === 'NOT_LEADING';
    return this.#rest(Math.min(this.#backoff.nextMs(), seeking ? limits.seekMsMax : limits.reconnectMsMax));
  }

  async #rest(waitMs: number): Promise<void> {
    await sleep(waitMs, undefined, { signal: this.#closing.signal }).catch(() => {});
  }

  /** Drops the work of the coordinator that was here, and what there would be to say of it. */
  #forget(): void {
    this.#options.executor.reset();
    this.#durable = false;
    this.#outbox.clear();
  }

  #leftovers(): Leftovers {
    const { executor } = this.#options;
    const pulls = executor.openRuns(true);
    if (!this.#durable) return { pulls, pushed: undefined };
    const attempts = [...new Set([...executor.pushedAttempts, ...this.#outbox.attempts])];
    return { pulls, pushed: { incarnation: this.#incarnation, attempts, runs: executor.openRuns(false) } };
  }

  /** Tells whoever coordinates that this node is about to end: it is to get no more work (K3). */
  leave(): void {
    this.#leaving = true;
    if (this.connected) this.#sayLeaving();
  }

  /** There is a coordinator, and it has taken this node in. */
  get connected(): boolean {
    return this.#stream !== undefined && this.#welcome;
  }

  /** What the coordinator knows of this node outlives it. */
  get durable(): boolean {
    return this.#durable;
  }

  /** Of a node that leaves: nothing is left to be told, and nothing more will be ordered. */
  get settled(): boolean {
    return this.#outbox.empty && (!this.connected || this.#released);
  }

  /** The last word, for where there is a coordinator to hear it. Resolves when it has, for good, or the link has ended. */
  async goodbye(): Promise<void> {
    this.#closing.abort();
    if (!this.connected) return;
    this.#stream!.write({ frame: { $case: 'goodbye', value: {} } });
    await this.#ending;
  }

  #sayLeaving(): void {
    this.#released = false;
    this.#stream!.write({ frame: { $case: 'leaving', value: {} } });
  }

  close(): void {
    this.#closing.abort();
    this.#stream?.cancel();
  }

  /** How often one has. */
  get joins(): number {
    return this.#joins;
  }

  /** Of outcomes that wait to be sent, or to be acknowledged. */
  get pendingBytes(): number {
    return this.#outbox.bytes;
  }

  /** The number of the connection that there is, or was last. */
  get incarnation(): number {
    return this.#incarnation;
  }

  report(outcome: Outcome): void {
    this.#outbox.add(outcome);
    this.#planFlush();
  }

  reportLate(late: LateFailure): void {
    if (this.#outbox.addLate(late)) this.#planFlush();
  }

  #planFlush(): void {
    if (this.#flushPlanned || this.#full) return;
    this.#flushPlanned = true;
    const flush = (): void => {
      this.#flushPlanned = false;
      this.#flushedAt = performance.now();
      this.#flush();
    };
    // At once after a pause; but a frame for each of many short chunks would be most of their cost.
    const waitMs = this.#flushedAt + limits.reportGatherMs - performance.now();
    if (waitMs <= 0) setImmediate(flush);
    else setTimeout(flush, waitMs);
  }

  /** One connection, from hello to its end. Resolves with why it ended. */
  #connectOnce(): Promise<Ending> {
    const { addresses, introduction } = this.#options;
    const address = addresses[this.#turn]!;
    const client = dial(address);
    const stream = client.connect(showing(this.#options.token?.()));
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const pulse = new Heartbeat(
      (value) => stream.write({ frame: { $case: 'heartbeat', value } }),
      this.#options.pulse,
      () => stream.cancel(),
    );
    this.#stream = stream;
    this.#full = false;
    this.#welcome = false;
    let refusal: Refusal | undefined;
    const unanswered = setTimeout(() => stream.cancel(), limits.welcomeMsMax);
    stream.on('data', ({ frame }: ConnectResponse) => {
      switch (frame?.$case) {
        case 'welcome':
          clearTimeout(unanswered);
          this.#welcomed(frame.value, address);
          // After work that is dropped with the coordinator that ordered it: it needs no permits.
          this.#options.executor.desk.connected((value) => stream.write({ frame: { $case: 'demand', value } }));
          return pulse.start(frame.value.heartbeatMs, frame.value.leaseMs);
        case 'refusal':
          refusal = frame.value;
          return;
        case 'work':
          try {
            return this.#obey(frame.value);
          } catch (thrown) {
            // Nothing that a coordinator says may end this process.
            refusal = { code: 'BAD_ORDER', message: `it sends orders that make no sense: ${messageOf(thrown)}` };
            return stream.cancel();
          }
        case 'permits':
          return this.#options.executor.desk.heard(frame.value);
        case 'heartbeatAckMs':
          this.#connectedAt = performance.now();
          return pulse.acknowledged(frame.value);
      }
    });
    stream.on('drain', () => {
      this.#full = false;
      this.#flush();
    });
    const ended = (error?: ServiceError): void => {
      clearTimeout(unanswered);
      pulse.stop();
      this.#options.executor.desk.disconnected();
      client.close();
      this.#stream = undefined;
      const code = error?.code === status.UNAUTHENTICATED ? TOKEN_REFUSED : '';
      if (refusal === undefined) resolve({ complaint: explainEnd(address, error), code });
      else resolve({ complaint: `${address}: ${refusal.message}`, code: refusal.code });
    };
    stream.on('error', ended);
    stream.on('end', () => ended());
    stream.write({ frame: { $case: 'hello', value: helloOf(introduction, this.#leftovers()) } });
    return promise;
  }

  #obey({ open, assign, cancel, close, drain, pull, stopPull, acknowledged }: Work): void {
    const { executor, queues } = this.#options;
    this.#outbox.acknowledge(acknowledged);
    for (const order of open) executor.open(runOrderOf(order, false));
    for (const assignment of assign) executor.assign(assignmentOf(assignment));
    for (const attemptId of cancel) executor.cancel(attemptId);
    for (const runId of [...stopPull, ...close]) queues.stop(runId);
    for (const runId of close) executor.close(runId);
    if (drain !== undefined) {
      queues.stopAll();
      executor.handBack(drain.handBack);
      this.#released = this.#leaving;
    }
    for (const order of pull.map((wire) => runOrderOf(wire, true))) {
      executor.open(order);
      queues.pull(order.runId, lanesOf(order));
    }
  }

  #welcomed({ incarnation, protocol, natsServers, durable, resumed }: Welcome, address: string): void {
    if (this.#durable && !resumed) this.#forget();
    this.#outbox.startAnew();
    this.#durable = durable;
    this.#welcome = true;
    this.#connectedAt = performance.now();
    this.#incarnation = incarnation;
    this.#joins++;
    if (this.#leaving) this.#sayLeaving();
    this.#planFlush();
    const { log, introduction, onWelcome, queues } = this.#options;
    this.#backoff.reset();
    this.#complaints.clear();
    if (natsServers.length > 0) queues.found(natsServers);
    log.info({ incarnation, protocol }, `node ${introduction.nodeId} ${resumed ? 'is back at' : 'joined'} ${address}`);
    onWelcome();
  }

  #flush(): void {
    const stream = this.#stream;
    // What is said before the welcome would be a stranger's.
    if (stream === undefined || !this.#welcome) return;
    const { nodeId } = this.#options.introduction;
    while (this.#outbox.waits && !this.#full) {
      const outcomes = this.#outbox.take(this.#durable).map((outcome) => wireOutcomeOf(outcome, nodeId));
      const value = { outcomes, late: this.#outbox.takeLate() };
      this.#full = !stream.write({ frame: { $case: 'report', value } });
    }
  }
}

const lanesOf = ({ shape: { processes, threads, concurrency } }: RunOrder): number => processes * threads * concurrency;
