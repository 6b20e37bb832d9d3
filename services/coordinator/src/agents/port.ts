/**
 * Orders on their way to one node: gathered during a turn, sent in frames of bounded size, held while the stream is full.
 * Chunks with inputs wait beyond that for room at the node (P1: so many bytes of inputs are there or on their way, and
 * one chunk more); what waits is not in memory yet.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ConnectRequest, ConnectResponse, Work } from '@regatta/proto/node';
import type { Assignment, NodePort, RunOrder } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';

export type NodeStream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** About what an order takes beside its payload. */
const ORDER_BYTES = 32;
const NO_INPUTS = new Uint8Array(0);

/** A frame: orders, and about how many bytes they are. */
interface Batch {
  readonly work: Work;
  bytes: number;
}

export class StreamPort implements NodePort {
  readonly #stream: NodeStream;
  /** Oldest first; orders join the last one while it is small. */
  #batches: Batch[] = [];
  /** Chunks that wait for room, oldest first. */
  #waiting: Assignment[] = [];
  /** Bytes of the inputs of each attempt that was sent with some, and of all of them. */
  readonly #inputBytes = new Map<number, number>();
  #inputBytesInFlight = 0;
  #flushPlanned = false;
  #full = false;
  #ended = false;
  readonly #onUnsent: (assignment: Assignment) => void;

  /** @param onUnsent told of each chunk that was taken back before the node got it */
  constructor(stream: NodeStream, onUnsent: (assignment: Assignment) => void) {
    this.#stream = stream;
    this.#onUnsent = onUnsent;
    stream.on('drain', () => {
      this.#full = false;
      this.#flush();
    });
  }

  open(order: RunOrder): void {
    this.#batch(ORDER_BYTES + order.paramsJson.length).open.push(order);
  }

  assign(assignment: Assignment): void {
    if (assignment.inputs === undefined) return this.#order(assignment, NO_INPUTS);
    this.#waiting.push(assignment);
    this.#planFlush();
  }

  ended(attemptId: number): void {
    const bytes = this.#inputBytes.get(attemptId);
    if (bytes === undefined) return;
    this.#inputBytes.delete(attemptId);
    this.#inputBytesInFlight -= bytes;
    if (this.#waiting.length > 0) this.#planFlush();
  }

  /** @param count of the outcomes of this connection, from the first on */
  acknowledge(count: number): void {
    this.#batch(0).acknowledged = count;
  }

  cancel(attemptId: number): void {
    if (!this.#takeBack((waiting) => waiting.attemptId === attemptId)) this.#batch(ORDER_BYTES).cancel.push(attemptId);
  }

  pull(order: RunOrder): void {
    this.#batch(ORDER_BYTES + order.paramsJson.length).pull.push(order);
  }

  stopPull(runId: string): void {
    this.#batch(ORDER_BYTES).stopPull.push(runId);
  }

  close(runId: string): void {
    this.#takeBack((waiting) => waiting.runId === runId);
    this.#batch(ORDER_BYTES).close.push(runId);
  }

  drain(handBack: boolean): void {
    this.#takeBack(() => true);
    this.#batch(ORDER_BYTES).drain = { handBack };
  }

  hangUp(reason: string): void {
    if (this.#ended) return;
    this.#stream.write({ frame: { $case: 'refusal', value: { code: 'SUPERSEDED', message: reason } } });
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#batches = [];
    this.#waiting = [];
    this.#stream.end();
  }

  /** @returns whether there were any */
  #takeBack(which: (waiting: Assignment) => boolean): boolean {
    const back = this.#waiting.filter(which);
    if (back.length > 0) this.#waiting = this.#waiting.filter((waiting) => !which(waiting));
    for (const assignment of back) this.#onUnsent(assignment);
    return back.length > 0;
  }

  #order({ attemptId, runId, from, to, attempt, alone }: Assignment, inputs: Uint8Array): void {
    this.#batch(ORDER_BYTES + inputs.byteLength).assign.push({ attemptId, runId, from, to, attempt, alone, inputs });
  }

  /** Where the next order goes. */
  #batch(bytes: number): Work {
    let last = this.#batches.at(-1);
    // A node obeys an order to drain last of its frame: what is ordered after it must not be in there.
    if (last === undefined || last.work.drain !== undefined || last.bytes + bytes > limits.frameBytes) {
      last = {
        work: {
          open: [],
          assign: [],
          cancel: [],
          close: [],
          drain: undefined,
          pull: [],
          stopPull: [],
          acknowledged: 0,
        },
        bytes: 0,
      };
      this.#batches.push(last);
    }
    last.bytes += bytes;
    this.#planFlush();
    return last.work;
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flush();
      this.#flushPlanned = false;
    });
  }

  #flush(): void {
    while (!this.#full && !this.#ended) {
      if (this.#batches.length <= 1) this.#admit();
      const batch = this.#batches.shift();
      if (batch === undefined) return;
      this.#full = !this.#stream.write({ frame: { $case: 'work', value: batch.work } });
    }
  }

  /** Reads the inputs of chunks for which there is room, a frame's worth (P1). */
  #admit(): void {
    for (let bytes = 0; bytes < limits.frameBytes && this.#waiting.length > 0; ) {
      if (this.#inputBytesInFlight >= limits.inputBytesInFlightMax) return;
      const assignment = this.#waiting.shift()!;
      const inputs = assignment.inputs!();
      this.#inputBytes.set(assignment.attemptId, inputs.byteLength);
      this.#inputBytesInFlight += inputs.byteLength;
      bytes += inputs.byteLength;
      this.#order(assignment, inputs);
    }
  }
}
