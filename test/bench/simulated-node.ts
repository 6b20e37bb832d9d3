/**
 * A node without hosts: it speaks the node link as an agent does, but its tasks are done the moment they arrive, with
 * the results of `noop`. So what is measured over many of them is the coordinator. It never connects twice: a link that
 * breaks stays broken, and a node that is alive at the end was never lost.
 */
import { randomUUID } from 'node:crypto';
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import {
  type Assignment,
  type ConnectRequest,
  type ConnectResponse,
  NodeLinkServiceClient,
  type Work,
} from '@regatta/proto/node';
import { encodeValue, pack } from '@regatta/workloads';
import type { Outcome } from '../../services/node-agent/src/hosts/work.ts';
import { helloOf, wireOutcomeOf } from '../../services/node-agent/src/link/codec.ts';
import { cards } from '../../services/node-agent/src/worker/workload-table.ts';

const CORES = 2;
/** What a lane says that it took for a task: about as long as a real one takes for `noop`. */
const TASK_MS = 0.001;

export class SimulatedNode {
  readonly #id: string;
  readonly #client: NodeLinkServiceClient;
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #welcomed = Promise.withResolvers<void>();
  #heartbeat: NodeJS.Timeout | undefined;
  /** When heartbeats were sent that are not acknowledged yet, oldest first. */
  #unanswered: number[] = [];
  #roundTrips: number[] = [];
  #broken: string | undefined;

  constructor(address: string, id: string) {
    this.#id = id;
    // Otherwise all nodes of a process would share one connection.
    this.#client = new NodeLinkServiceClient(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    this.#stream = this.#client.connect();
    this.#stream.on('data', (response: ConnectResponse) => this.#heard(response));
    this.#stream.on('error', (error) => this.#over(error.message));
    this.#stream.on('end', () => this.#over('the coordinator closed it'));
    const machine = { id, hostname: id, osCores: CORES, quotaCores: CORES, quotaLimited: false, cores: CORES };
    const introduction = {
      nodeId: id,
      machine: { ...machine, memoryBytes: 2 ** 30 },
      workloads: cards,
      limits: [],
      version: 'bench',
    };
    this.#send({
      $case: 'hello',
      value: { ...helloOf(introduction, { pulls: [], pushed: undefined }), instance: randomUUID() },
    });
  }

  /** Rejects where the link breaks before. */
  get welcomed(): Promise<void> {
    return this.#welcomed.promise;
  }

  /** Why its link broke; undefined while it stands. */
  get broken(): string | undefined {
    return this.#broken;
  }

  /** Round trips of heartbeats since last asked, in ms; one that is still on its way counts as long as it took so far. */
  takeRoundTrips(): number[] {
    const now = performance.now();
    const taken = [...this.#roundTrips, ...this.#unanswered.map((sentMs) => now - sentMs)];
    this.#roundTrips = [];
    return taken;
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.#stream.cancel();
    this.#client.close();
  }

  #heard({ frame }: ConnectResponse): void {
    switch (frame?.$case) {
      case 'welcome':
        this.#heartbeat = setInterval(() => this.#beat(), frame.value.heartbeatMs);
        return this.#welcomed.resolve();
      case 'refusal':
        return this.#over(frame.value.message);
      case 'work':
        return this.#obey(frame.value);
      case 'heartbeatAckMs':
        this.#roundTrips.push(performance.now() - frame.value);
        this.#unanswered = this.#unanswered.filter((sentMs) => sentMs > frame.value);
    }
  }

  #beat(): void {
    const sentMs = performance.now();
    this.#unanswered.push(sentMs);
    this.#send({
      $case: 'heartbeat',
      value: {
        sentMs,
        rssBytes: 0,
        hosts: 0,
        throttledMs: 0,
        pulled: 0,
        queueComplaint: '',
        wallMs: 0,
        roundTripMs: 0,
      },
    });
  }

  /** All of a frame's tasks are answered in one frame. By then nothing is left to be cancelled, closed or handed back. */
  #obey({ assign }: Work): void {
    if (assign.length === 0) return;
    const outcomes = assign.map((assignment) => wireOutcomeOf(outcomeOf(assignment), this.#id));
    this.#send({ $case: 'report', value: { outcomes, late: [] } });
  }

  #send(frame: NonNullable<ConnectRequest['frame']>): void {
    this.#stream.write({ frame });
  }

  #over(reason: string): void {
    clearInterval(this.#heartbeat);
    this.#broken ??= `${this.#id}: ${reason}`;
    this.#welcomed.reject(new Error(this.#broken));
  }
}

function outcomeOf({ attemptId, runId, from, to }: Assignment): Outcome {
  const tasks = to - from;
  const results = pack(Array.from({ length: tasks }, (_, i) => encodeValue(from + i)));
  const times = { wallUs: new Uint32Array(tasks), cpuUs: new Uint32Array(tasks) };
  const host = { host: 0, hostRssBytes: 0, stallMs: 0, throttledMs: 0 };
  const spans = { cpuMs: tasks * TASK_MS, laneMs: tasks * TASK_MS, waitMs: 0, serializeMs: 0, residentMs: 0 };
  const timing = { ...times, ...spans, ...host, bytes: results.byteLength };
  return { attemptId, runId, from, to, results, failures: [], timing, end: { kind: 'completed' } };
}
