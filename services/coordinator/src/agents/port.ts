/** Orders on their way to one node: gathered during a turn, sent as one frame, held while the stream is full. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ConnectRequest, ConnectResponse, Work } from '@regatta/proto/node';
import type { Assignment, NodePort, RunOrder } from '../engine/fleet.ts';

export type NodeStream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

export class StreamPort implements NodePort {
  readonly #stream: NodeStream;
  #work: Work | undefined;
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
    this.#batch().open.push(order);
  }

  assign(assignment: Assignment): void {
    this.#batch().assign.push(assignment);
  }

  cancel(attemptId: number): void {
    this.#batch().cancel.push(attemptId);
  }

  close(runId: string): void {
    this.#batch().close.push(runId);
  }

  hangUp(reason: string): void {
    if (this.#ended) return;
    this.#stream.write({ frame: { $case: 'refusal', value: { code: 'SUPERSEDED', message: reason } } });
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.end();
  }

  #batch(): Work {
    if (this.#work === undefined) {
      this.#work = { open: [], assign: [], cancel: [], close: [] };
      queueMicrotask(() => this.#flush());
    }
    return this.#work;
  }

  #flush(): void {
    if (this.#work === undefined || this.#full || this.#ended) return;
    const work = this.#work;
    this.#work = undefined;
    this.#full = !this.#stream.write({ frame: { $case: 'work', value: work } });
  }
}
