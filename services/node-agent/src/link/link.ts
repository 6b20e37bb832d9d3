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

/** About what a failure takes beside its texts. */
const FAILURE_BYTES = 64;
/** How a connection ends that had no token, or a wrong one. */
const TOKEN_REFUSED = 'TOKEN_REFUSED';

type Stream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

/** How a connection ended. */
interface Ending {
  readonly complaint: string;
  /** The coordinator's, where it refused us. */
  readonly code: string;
}

export interface Pulse {
  readonly rssBytes: number;
  readonly hosts: number;
  readonly throttledMs: number;
  /** Chunks from queues that it holds. */
  readonly pulled: number;
  /** Why it cannot take any; empty where it can. */
  readonly queueComplaint: string;
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
  #stream: Stream | undefined;
  #outbox: Outcome[] = [];
  #outboxBytes = 0;
  /** Sent, and not acknowledged; empty where the coordinator acknowledges nothing. */
  #unacknowledged: Outcome[] = [];
  #acknowledged = 0;
  /** What the coordinator knows outlives it: what it gave us may be known to its successor. */
  #durable = false;
  /** When a coordinator was last there. */
  #connectedAt = Number.NEGATIVE_INFINITY;
  #late: LateFailure[] = [];
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
    this.#outbox = [];
    this.#unacknowledged = [];
    this.#late = [];
    this.#durable = false;
    this.#weigh(-this.#outboxBytes);
  }

  #leftovers(): Leftovers {
    const { executor } = this.#options;
    const pulls = executor.openRuns(true);
    if (!this.#durable) return { pulls, pushed: undefined };
    const untold = [...this.#unacknowledged, ...this.#outbox].map(({ attemptId }) => attemptId);
    const attempts = [...new Set([...executor.pushedAttempts, ...untold])];
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
    const untold = this.#outbox.length + this.#late.length + this.#unacknowledged.length;
    return untold === 0 && (!this.connected || this.#released);
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
    return this.#outboxBytes;
  }

  /** The number of the connection that there is, or was last. */
  get incarnation(): number {
    return this.#incarnation;
  }

  report(outcome: Outcome): void {
    this.#outbox.push(outcome);
    this.#weigh(sizeOf(outcome));
    this.#planFlush();
  }

  reportLate(late: LateFailure): void {
    if (this.#late.length >= limits.lateFailuresMax) return;
    this.#late.push(late);
    this.#planFlush();
  }

  /** A coordinator that reads slowly must not fill this process with what it has not read (K1). */
  #weigh(bytes: number): void {
    this.#outboxBytes += bytes;
    if (this.#outboxBytes > limits.outboxBytesMax) this.#options.executor.hold(true, 'link');
    else if (this.#outboxBytes <= limits.outboxBytesMax / 2) this.#options.executor.hold(false, 'link');
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
    const pulse = new Heartbeat(stream, this.#options.pulse, () => stream.cancel());
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
    if (acknowledged > this.#acknowledged) this.#acknowledge(acknowledged);
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

  #acknowledge(count: number): void {
    const kept = this.#unacknowledged.splice(0, count - this.#acknowledged);
    this.#acknowledged = count;
    this.#weigh(-kept.reduce((sum, outcome) => sum + sizeOf(outcome), 0));
  }

  #welcomed({ incarnation, protocol, natsServers, durable, resumed }: Welcome, address: string): void {
    if (this.#durable && !resumed) this.#forget();
    // It may have heard what it did not acknowledge: it will know.
    this.#outbox.unshift(...this.#unacknowledged.splice(0));
    this.#acknowledged = 0;
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
    while (this.#outbox.length + this.#late.length > 0 && !this.#full) {
      let bytes = 0;
      let count = 0;
      while (count < this.#outbox.length && (count === 0 || bytes < limits.reportBytes)) {
        bytes += sizeOf(this.#outbox[count++]!);
      }
      const { nodeId } = this.#options.introduction;
      const sent = this.#outbox.splice(0, count);
      if (this.#durable) this.#unacknowledged.push(...sent);
      else this.#weigh(-bytes);
      const outcomes = sent.map((outcome) => wireOutcomeOf(outcome, nodeId));
      this.#full = !stream.write({ frame: { $case: 'report', value: { outcomes, late: this.#late.splice(0) } } });
    }
  }
}

function sizeOf({ results, timing, failures }: Outcome): number {
  let bytes = results.byteLength + timing.wallUs.byteLength + timing.cpuUs.byteLength;
  for (const { message, stack } of failures) bytes += FAILURE_BYTES + message.length + stack.length;
  return bytes;
}

/** Tells the coordinator that we live, and notices when it does not answer (K2). */
class Heartbeat {
  readonly #stream: Stream;
  readonly #pulse: () => Pulse;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the oldest heartbeat without an answer was sent. A time in which this process stood still does not count. */
  #unansweredAt: number | undefined;
  /** When the newest one was sent, and how long its echo took; 0 while there is none. */
  #sentMs = 0;
  #roundTripMs = 0;

  constructor(stream: Stream, pulse: () => Pulse, onSilence: () => void) {
    this.#stream = stream;
    this.#pulse = pulse;
    this.#onSilence = onSilence;
  }

  start(everyMs: number, leaseMs: number): void {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#unansweredAt ??= now;
      if (now - this.#unansweredAt > leaseMs) return this.#onSilence();
      const clock = { sentMs: now, wallMs: Date.now(), roundTripMs: this.#roundTripMs };
      this.#stream.write({ frame: { $case: 'heartbeat', value: { ...clock, ...this.#pulse() } } });
      this.#sentMs = now;
      this.#roundTripMs = 0;
    }, everyMs);
  }

  /** @param sentMs of the heartbeat that it is the echo of */
  acknowledged(sentMs: number): void {
    if (sentMs === this.#sentMs) this.#roundTripMs = performance.now() - sentMs;
    this.#unansweredAt = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const lanesOf = ({ shape: { processes, threads, concurrency } }: RunOrder): number => processes * threads * concurrency;

function explainEnd(address: string, error: ServiceError | undefined): string {
  if (error === undefined) return `${address} closed the link; trying again`;
  switch (error.code) {
    case status.UNAVAILABLE:
      return `cannot reach a coordinator at ${address} (${reasonIn(error.details)}); trying again`;
    case status.UNAUTHENTICATED:
      return `${address}: ${error.details}; trying again`;
    case status.UNIMPLEMENTED:
      return `${address} is a gRPC server but no Regatta coordinator; check --coordinator; trying again`;
    case status.CANCELLED:
      return `${address} fell silent; trying again`;
    default:
      return `the link to ${address} broke: ${error.details || error.message}; trying again`;
  }
}

/** gRPC's words without its own circumstances. */
const reasonIn = (details: string): string =>
  /Last error: (?:Error: )?(.*?)\. Resolution note/.exec(details)?.[1] ?? details;
