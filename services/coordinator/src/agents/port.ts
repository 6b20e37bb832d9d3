/** Orders on their way to one node: gathered during a turn, sent in frames of bounded size, held while the stream is full. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ConnectRequest, ConnectResponse, Work } from '@regatta/proto/node';
import type { Assignment, NodePort, RunOrder } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';

export type NodeStream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** About what an order takes beside its payload. */
const ORDER_BYTES = 32;

/** A frame: orders, and about how many bytes they are. */
interface Batch {
  readonly work: Work;
  bytes: number;
}

export class StreamPort implements NodePort {
  readonly #stream: NodeStream;
  /** Oldest first; orders join the last one while it is small. */
  #batches: Batch[] = [];
  #flushPlanned = false;
  #full = false;
  #ended = false;

  constructor(stream: NodeStream) {
    this.#stream = stream;
    stream.on('drain', () => {
      this.#full = false;
      this.#flush();
    });
  }

  open(order: RunOrder): void {
    this.#batch(ORDER_BYTES + order.paramsJson.length).open.push(order);
  }

  assign(assignment: Assignment): void {
    this.#batch(ORDER_BYTES + assignment.inputs.byteLength).assign.push(assignment);
  }

  cancel(attemptId: number): void {
    this.#batch(ORDER_BYTES).cancel.push(attemptId);
  }

  close(runId: string): void {
    this.#batch(ORDER_BYTES).close.push(runId);
  }

  drain(handBack: boolean): void {
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
    this.#stream.end();
  }

  /** Where the next order goes. */
  #batch(bytes: number): Work {
    let last = this.#batches.at(-1);
    // A node obeys an order to drain last of its frame: what is ordered after it must not be in there.
    if (last === undefined || last.work.drain !== undefined || last.bytes + bytes > limits.frameBytes) {
      last = { work: { open: [], assign: [], cancel: [], close: [], drain: undefined }, bytes: 0 };
      this.#batches.push(last);
    }
    last.bytes += bytes;
    if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      queueMicrotask(() => this.#flush());
    }
    return last.work;
  }

  #flush(): void {
    this.#flushPlanned = false;
    while (this.#batches.length > 0 && !this.#full && !this.#ended) {
      const { work } = this.#batches.shift()!;
      this.#full = !this.#stream.write({ frame: { $case: 'work', value: work } });
    }
  }
}
