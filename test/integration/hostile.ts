/**
 * Tools for the tests of hostile input: seeded chance, bytes that are nearly right, peers that keep to no protocol, a
 * node that lies, and a client that behaves well and notices when the others cost it something.
 *
 * - H1: all chance comes from one seed, and each test draws from a stream of its own: a failure can be replayed alone.
 * - H2: counts are fixed, times are not: a slow machine sends the same, later.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as http2Connect, type OutgoingHttpHeaders } from 'node:http2';
import { type Socket, connect as tcpConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { mixSeed, Rng } from '@regatta/kernel';
import {
  ControlServiceClient,
  type GetRunResponse,
  type ListNodesResponse,
  type ListRunsResponse,
  RunSpec,
  type StreamResultsResponse,
} from '@regatta/proto/control';
import {
  type Assignment,
  type ConnectRequest,
  type ConnectResponse,
  Hello,
  NodeLinkServiceClient,
  Outcome,
  Report,
} from '@regatta/proto/node';
import { decodeValue, encodeValue, pack, unpack } from '@regatta/workloads';

const CALL_MS_MAX = 5_000;
const PROBE_EVERY_MS = 50;
// The default does not hold the largest message.
const SESSION_MB_MAX = 1_000;

/** The seed to replay, or a new one. */
export const seed = Number(process.env.REGATTA_SEED ?? Date.now() % 1_000_000_000);

export class Chance {
  readonly #rng: Rng;

  constructor(...parts: number[]) {
    this.#rng = new Rng(mixSeed(...parts));
  }

  /** From 0 to below `n`. */
  below(n: number): number {
    return Math.floor(this.#rng.unit() * n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }
}

/** Runs a test on its own stream of chance. @throws what the test throws, with how to replay it */
export function seeded(stream: number, test: (chance: Chance) => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await test(new Chance(seed, stream));
    } catch (thrown) {
      if (thrown instanceof Error) thrown.message += `\nREGATTA_SEED=${seed} replays this`;
      throw thrown;
    }
  };
}

// Bytes on which varints, lengths and tags turn.
const TURNING_POINTS = [0x00, 0x01, 0x7f, 0x80, 0xff];

type Bytes = Buffer<ArrayBufferLike>;

const EDITS: readonly ((bytes: Bytes, at: number, chance: Chance) => Bytes)[] = [
  (bytes, at, chance) => spliced(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ (1 << chance.below(8)))),
  (bytes, at, chance) => spliced(bytes, at, 1, Buffer.of(chance.pick(TURNING_POINTS))),
  (bytes, at, chance) => spliced(bytes, at, 0, chance.bytes(1 + chance.below(12))),
  (bytes, at, chance) => spliced(bytes, at, 1 + chance.below(8), Buffer.alloc(0)),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, chance) => spliced(bytes, at, 0, bytes.subarray(chance.below(bytes.length + 1))),
];

const spliced = (bytes: Bytes, at: number, drop: number, insert: Bytes): Bytes =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + drop)]);

/** One to four edits away from what was right. */
export function mutated(right: Uint8Array, chance: Chance): Bytes {
  let bytes: Bytes = Buffer.from(right);
  for (let edits = 1 + chance.below(4); edits > 0; edits--) {
    bytes = chance.pick(EDITS)(bytes, chance.below(bytes.length + 1), chance);
  }
  return bytes;
}

/** A gRPC frame; it may lie about its length and about being compressed. */
export function frame(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** A protobuf field of bytes, to be put behind others: the last one wins. */
export function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(bytes.length)), bytes]);
}

/** A protobuf integer field, of any size: generated code refuses to write what is no safe integer. */
export const integerField = (number: number, value: bigint): Buffer =>
  Buffer.concat([varint(BigInt(number * 8)), varint(value)]);

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.of(...bytes, Number(rest));
}

/** Sends bytes over TCP and leaves the connection as it is. */
export async function tell(address: string, bytes: Uint8Array): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = tcpConnect(Number(port), host);
  // A reset is one of the right answers.
  socket.on('error', () => {});
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.once('connect', () => (bytes.length === 0 ? resolve() : socket.write(bytes, () => resolve())));
  });
  return socket;
}

/** Resolves when both sides are done with the connection. @throws where it is still there when the time is up */
export function gone(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return within(CALL_MS_MAX, 'a connection to end', (resolve) => socket.once('close', () => resolve()));
}

/** An HTTP/2 connection that sends what it likes: gRPC's framing is up to the caller. */
export class Peer {
  readonly session: ClientHttp2Session;

  constructor(address: string) {
    this.session = http2Connect(`http://${address}`, { maxSessionMemory: SESSION_MB_MAX });
    this.session.on('error', () => {});
  }

  /**
   * One call with these bytes as all that it ever says. Resolves with how it ended: `status 13`, `http 415`, `reset`.
   * @throws where it does not end
   */
  call(path: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}): Promise<string> {
    const stream = this.open(path, headers);
    return within(CALL_MS_MAX, `an answer from ${path}`, (resolve) => {
      let ending = 'reset';
      const hear = (heard: Readonly<Record<string, unknown>>): void => {
        if (heard['grpc-status'] !== undefined) ending = `status ${heard['grpc-status']}`;
        else if (heard[':status'] !== undefined && heard[':status'] !== 200) ending = `http ${heard[':status']}`;
      };
      stream.on('response', hear).on('trailers', hear);
      // What was left to say is of no use once the answer is there.
      stream.on('end', () => stream.close());
      stream.once('close', () => resolve(ending));
      stream.resume();
      stream.end(body);
    });
  }

  /** The same, for who does not wait for an answer. */
  tell(path: string, body: Uint8Array): void {
    this.open(path).resume().end(body);
  }

  open(path: string, headers: OutgoingHttpHeaders = {}) {
    const usual = { 'content-type': 'application/grpc', te: 'trailers' };
    const stream = this.session.request({ ':method': 'POST', ':path': path, ...usual, ...headers });
    stream.on('error', () => {});
    return stream;
  }

  close(): void {
    this.session.destroy();
  }
}

/** A node without an agent: it says hello as it should, and after that what it likes. */
export class Impostor {
  readonly stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #client: NodeLinkServiceClient;
  readonly #frames: NonNullable<ConnectResponse['frame']>[] = [];
  #ended = false;
  #wake = (): void => {};

  constructor(address: string) {
    this.#client = new NodeLinkServiceClient(address, credentials.createInsecure());
    this.stream = this.#client.connect();
    this.stream.on('data', ({ frame }: ConnectResponse) => {
      if (frame !== undefined) this.#frames.push(frame);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.stream.on('error', end).on('end', end);
  }

  greet(nodeId: string, workloads: readonly string[] = []): void {
    this.say({ $case: 'hello', value: helloOf(nodeId, workloads) });
  }

  say(frame: ConnectRequest['frame']): void {
    this.stream.write({ frame });
  }

  report(...outcomes: Outcome[]): void {
    this.say({ $case: 'report', value: Report.fromPartial({ outcomes }) });
  }

  /** The first frame of this kind, now or later; undefined where the stream ends without. */
  hear<K extends string>(
    kind: K,
  ): Promise<Extract<NonNullable<ConnectResponse['frame']>, { $case: K }>['value'] | undefined> {
    return within(CALL_MS_MAX, `a ${kind}`, (resolve) => {
      this.#wake = () => {
        const found = this.#frames.find(({ $case }) => $case === kind);
        if (found !== undefined || this.#ended) resolve(found?.value as never);
      };
      this.#wake();
    });
  }

  leave(): void {
    this.stream.cancel();
    this.#client.close();
  }
}

/** As an agent introduces itself. */
export const helloOf = (nodeId: string, workloads: readonly string[]): Hello =>
  Hello.fromPartial({
    protocolMin: 1,
    protocolMax: 1,
    nodeId,
    machine: {
      id: nodeId,
      hostname: 'elsewhere',
      osCores: 2,
      quotaCores: 2,
      quotaLimited: false,
      memoryBytes: 1e9,
      cores: 2,
    },
    workloads: workloads.map((name) => ({ name, kind: 1, summary: 'as it should be', parameters: [] })),
    runtime: 'node24',
    version: '0.1.0',
    instance: nodeId,
    pid: 4_242,
  });

/** What an honest node answers to an assignment of noop. */
export function honest({ attemptId, runId, from, to }: Assignment): Outcome {
  const tasks = Array.from({ length: to - from }, (_, i) => from + i);
  return Outcome.fromPartial({
    attemptId,
    runId,
    from,
    to,
    results: pack(tasks.map(encodeValue)),
    timing: { wallUs: Buffer.alloc(4 * tasks.length, 1), cpuMs: 1, residentMs: 1, laneMs: 1, host: 4_243 },
    end: { $case: 'completed', value: true },
  });
}

/** A run as a client may ask for it, on narrow hosts and in small chunks, so that every node gets some of it. */
export const specOf = (
  workload: string,
  params: Readonly<Record<string, number>>,
  more: Partial<RunSpec> = {},
): RunSpec =>
  RunSpec.fromPartial({
    workload,
    kind: 1,
    paramsJson: JSON.stringify(params),
    tasks: params.count ?? 1,
    model: 'hybrid',
    shape: { processes: 1, threads: 1, concurrency: 1 },
    policy: 'self',
    chunk: 5,
    retries: 5,
    ...more,
  });

/** A client like any other. While it watches, it asks all the time, and remembers how long it had to wait. */
export class GoodClient {
  readonly stub: ControlServiceClient;
  #asks: Promise<void> = Promise.resolve();
  #watching = false;
  worstMs = 0;

  constructor(address: string) {
    this.stub = new ControlServiceClient(address, credentials.createInsecure());
  }

  startAsking(): void {
    this.#watching = true;
    this.#asks = this.#keepAsking();
    this.#asks.catch(() => {});
  }

  /** @throws where one of its calls failed */
  async stopAsking(): Promise<void> {
    this.#watching = false;
    await this.#asks;
  }

  async #keepAsking(): Promise<void> {
    for (; this.#watching; await sleep(PROBE_EVERY_MS)) {
      const askedAt = performance.now();
      await this.nodes();
      this.worstMs = Math.max(this.worstMs, performance.now() - askedAt);
    }
  }

  async nodes(): Promise<ListNodesResponse['nodes']> {
    return (await answerTo<ListNodesResponse>((done) => this.stub.listNodes({}, soon(), done))).nodes;
  }

  async submit(spec: RunSpec): Promise<string> {
    return (await answerTo<{ runId: string }>((done) => this.stub.submitRun({ spec }, soon(), done))).runId;
  }

  async run(runId: string): Promise<NonNullable<GetRunResponse['run']>> {
    return (await answerTo<GetRunResponse>((done) => this.stub.getRun({ runId }, soon(), done))).run!;
  }

  /** Runs that have not ended. */
  async unended(): Promise<string[]> {
    const { runs } = await answerTo<ListRunsResponse>((done) => this.stub.listRuns({ limit: 0 }, soon(), done));
    return runs.filter(({ endedAtMs }) => endedAtMs === 0).map(({ runId }) => runId);
  }

  async cancel(runId: string, reason = ''): Promise<void> {
    await answerTo((done) => this.stub.cancelRun({ runId, reason }, soon(), done));
  }

  /** Waits for the run's end. @returns what its tasks gave, in their order, as text */
  async values(runId: string): Promise<string[]> {
    const values: string[] = [];
    const stream = this.stub.streamResults({ runId }, soon());
    for await (const { parts } of stream as AsyncIterable<StreamResultsResponse>) {
      for (const { from, results } of parts) {
        for (const [i, entry] of unpack(results).entries()) {
          if (entry.byteLength > 0) values[from + i] = String(decodeValue(entry));
        }
      }
    }
    return values;
  }

  close(): void {
    this.stub.close();
  }
}

// The generated stubs take call options only where metadata is given as well; a plain object is taken as options.
const soon = (): never => ({ deadline: Date.now() + 20_000 }) as never;

const answerTo = <T>(call: (done: (error: Error | null, response: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    call((error, response) => (error === null ? resolve(response) : reject(error)));
  });

/** @throws where `start` has not resolved when the time is up */
function within<T>(ms: number, what: string, start: (resolve: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

/** Resident memory of a process, in MiB. */
export const rssMiBOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
