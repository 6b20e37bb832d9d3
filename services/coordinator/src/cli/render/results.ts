/** A run's results one by one, as text and as JSON, however many they are. */
import { once } from 'node:events';
import { decodeValue, pack, unpack } from '@regatta/workloads';
import type { ResultPart, RunView } from '../views.ts';

const PIECE_CHARACTERS = 65_536;
const NOTHING = pack([]);

/** A task that failed has no value; `regatta show` tells why. */
interface Entry {
  readonly task: number;
  readonly value?: unknown;
  readonly failed?: true;
}

/** In task order. */
export function* entriesOf(parts: readonly ResultPart[], { state, spec }: RunView): Iterable<Entry> {
  let task = 0;
  // What no part speaks of was given up with its node or host; of a run that was stopped it was never done.
  const gapFailed = state !== 'cancelled';
  for (const { from, results } of [...parts, { from: spec.tasks, results: NOTHING }]) {
    for (; task < from; task++) if (gapFailed) yield { task, failed: true };
    for (const entry of unpack(results))
      if (entry.byteLength === 0) yield { task: task++, failed: true };
      else yield { task: task++, value: decodeValue(entry) };
  }
}

export function* textLines(entries: Iterable<Entry>): Iterable<string> {
  for (const { task, value, failed } of entries) yield `${task}\t${failed ? 'failed' : show(value ?? null)}\n`;
}

/** One array, an entry a line. */
export function* jsonLines(entries: Iterable<Entry>): Iterable<string> {
  let before = '[\n';
  for (const entry of entries) {
    yield `${before}${inJson(entry)}`;
    before = ',\n';
  }
  yield before === '[\n' ? '[]\n' : '\n]\n';
}

/** In pieces that the reader can take: all of it in one string may be more than there can be. */
export async function writeAll(stream: NodeJS.WriteStream, lines: Iterable<string>): Promise<void> {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (piece.length < PIECE_CHARACTERS) continue;
    if (!stream.write(piece)) await once(stream, 'drain');
    piece = '';
  }
  stream.write(piece);
}

/** Text as it is, where it is one line. */
const show = (value: unknown): string => (typeof value === 'string' && !/[\n\r\t]/.test(value) ? value : inJson(value));

function inJson(value: unknown): string {
  try {
    return JSON.stringify(value, jsonValue);
  } catch {
    return JSON.stringify('a value that refers to itself: JSON cannot show it');
  }
}

/** JSON has neither big integers nor bytes: digits and base64. */
function jsonValue(this: Record<string, unknown>, key: string, value: unknown): unknown {
  // A Buffer has been made something else of by now.
  const before = this[key];
  if (before instanceof Uint8Array) return Buffer.from(before).toString('base64');
  return typeof value === 'bigint' ? value.toString() : value;
}
