/**
 * Between the engine's memory and the journal's bytes: the structured clone of V8, which later versions of Node can read.
 * What an engine of another version makes of it is checked where it is lived again.
 */
import { deserialize, serialize } from 'node:v8';
import { messageOf, RegattaError } from '@regatta/kernel';
import type { StoredResults } from '../engine/result-store.ts';
import type { EngineDump, StoredEntry } from '../engine/revival.ts';
import type { RunDump } from '../engine/run-record.ts';

export interface Snapshot {
  /** The sequence of the last `events` record that is part of it. */
  readonly covers: number;
  readonly engine: EngineDump;
  /** Runs that went on. */
  readonly runs: readonly RunDump[];
}

// `from`, `to` and the pack's length.
const HEADER_BYTES = 24;

export const bytesOfEntries = (entries: readonly StoredEntry[]): Uint8Array => serialize(entries);
export const bytesOfSnapshot = (snapshot: Snapshot): Uint8Array => serialize(snapshot);
export const bytesOfRun = (run: RunDump): Uint8Array => serialize(run);

export const entriesIn = (bytes: Uint8Array): StoredEntry[] => read(bytes);
export const snapshotIn = (bytes: Uint8Array): Snapshot => read(bytes);
export const runIn = (bytes: Uint8Array): RunDump => read(bytes);

/** One after another, as they are: results are by far the most of what is written. */
export function bytesOfResults(parts: readonly StoredResults[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const { from, to, results } of parts) {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeDoubleLE(from, 0);
    header.writeDoubleLE(to, 8);
    header.writeDoubleLE(results.byteLength, 16);
    pieces.push(header, results);
  }
  return Buffer.concat(pieces);
}

export function* resultsIn(bytes: Uint8Array): Generator<StoredResults> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < view.byteLength; ) {
    const [from, to, length] = [view.readDoubleLE(at), view.readDoubleLE(at + 8), view.readDoubleLE(at + 16)];
    const start = at + HEADER_BYTES;
    yield { from, to, results: view.subarray(start, start + length) };
    at = start + length;
  }
}

/** @throws RegattaError JOURNAL_UNREADABLE */
function read<T>(bytes: Uint8Array): T {
  try {
    return deserialize(bytes) as T;
  } catch (thrown) {
    const why = messageOf(thrown);
    throw new RegattaError('JOURNAL_UNREADABLE', `a record of the journal cannot be read (${why}); was it written to?`);
  }
}
