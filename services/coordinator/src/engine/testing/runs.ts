/** Runs for tests, and packs that tell where they come from. */
import { encodeValue, pack } from '@regatta/workloads';
import { Shelf } from '../byte-log.ts';
import type { RunRequest } from '../run-record.ts';

export const requestFor = (over: Partial<RunRequest> = {}): RunRequest => ({
  workload: 'noop',
  kind: 'cpu',
  paramsJson: '{}',
  tasks: 10,
  model: 'processes',
  shape: { processes: 1, threads: 1, concurrency: 1 },
  nodes: 0,
  policy: 'awf',
  chunk: 0,
  retries: 0,
  taskTimeoutMs: 0,
  deadlineMs: 0,
  maxInFlightPerTarget: 0,
  maxRatePerTarget: 0,
  transport: 'grpc',
  until: 'all',
  ...over,
});

/** A pack of `task <n>` for each of [from, to). */
export const packOf = (from: number, to: number): Buffer =>
  pack(Array.from({ length: to - from }, (_, i) => encodeValue(`task ${from + i}`)));

/** A pack of one entry of so many bytes. */
export const largePack = (bytes: number): Buffer => pack([new Uint8Array(bytes)]);

/** Keeps everything in memory. */
export const roomyShelf = (): Shelf => new Shelf('/nowhere', Number.POSITIVE_INFINITY);
