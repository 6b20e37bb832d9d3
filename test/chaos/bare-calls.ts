/** What one coordinator says itself: the product's own client would go on to whoever leads, and drop what comes twice. */
import { credentials, Metadata } from '@grpc/grpc-js';
import type { ControlServiceClient, StreamResultsResponse } from '@regatta/proto/control';
import { ControlClient } from '@regatta/proto/services';
import { nodeViewOf } from '../../services/coordinator/src/cli/codec.ts';
import { valuesOf } from '../../services/coordinator/src/cli/results.ts';

const SAY_MS_MAX = 500;
const RESULTS_MS_MAX = 20_000;

export interface Read {
  readonly values: Map<number, unknown>;
  /** Tasks with a second result. */
  readonly doubled: number[];
}

export class BareCalls {
  readonly address: string;
  readonly #stub: ControlServiceClient;

  constructor(address: string) {
    this.address = address;
    const reconnect = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 200 };
    this.#stub = new ControlClient(address, credentials.createInsecure(), reconnect);
  }

  /** Only who leads knows of nodes. */
  async leads(): Promise<boolean> {
    return (await this.nodesAlive()) !== undefined;
  }

  /** @returns undefined where it does not lead, or says nothing */
  nodesAlive(): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#stub.listNodes({}, new Metadata(), { deadline: Date.now() + SAY_MS_MAX }, (error, response) => {
        if (error !== null) return resolve(undefined);
        resolve(response.nodes.map(nodeViewOf).filter(({ state }) => state === 'alive').length);
      });
    });
  }

  /** All results of a run that has ended, as they are sent. */
  async results(runId: string): Promise<Read> {
    const read: Read = { values: new Map(), doubled: [] };
    const stream = this.#stub.streamResults({ runId }, { deadline: Date.now() + RESULTS_MS_MAX });
    for await (const { parts } of stream as AsyncIterable<StreamResultsResponse>) addTo(read, parts);
    return read;
  }

  close(): void {
    this.#stub.close();
  }
}

/** Task by task: one that came twice is noticed. */
export function addTo({ values, doubled }: Read, parts: StreamResultsResponse['parts']): void {
  for (const { task, value } of valuesOf(parts)) {
    if (values.has(task)) doubled.push(task);
    values.set(task, value);
  }
}
