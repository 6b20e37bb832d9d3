/** Who won, and why, in figures of this very race. */

import { counted } from '@regatta/kernel';
import type { Shape } from '@regatta/scheduler';
import { bytes, milliseconds, times } from '../cli/render/format.ts';
import type { EntryResult } from './measure.ts';

export interface Verdict {
  readonly model: string;
  readonly nodes: number;
  readonly shape: Shape;
  readonly why: string;
}

/** Medians this close cannot be told apart on a machine with other things to do. */
const NOISE = 0.03;
/** The order of preference among equals: what is simpler to write, run and mend. */
const SIMPLEST_FIRST = ['serial', 'async', 'threads', 'processes', 'hybrid'];

/** Null where the entries' results differ or none is valid: then nothing can be said. */
export function judge(entries: readonly EntryResult[], kind: 'cpu' | 'io', cores: number): Verdict | null {
  const valid = entries.filter((entry) => entry.valid);
  if (valid.length === 0 || resultsDiffer(entries)) return null;
  const fastest = valid.reduce((a, b) => (b.wallMs.median < a.wallMs.median ? b : a));
  const equals = valid.filter(({ wallMs }) => wallMs.median <= fastest.wallMs.median * (1 + NOISE));
  const winner = equals.sort((a, b) => simplicity(a) - simplicity(b))[0]!;
  const { model, nodes, shape } = winner;
  return { model, nodes, shape, why: reasons(winner, valid, equals, kind, cores).join('; ') };
}

export const resultsDiffer = (entries: readonly EntryResult[]): boolean =>
  new Set(entries.map(({ resultDigest }) => resultDigest)).size > 1;

const simplicity = ({ nodes, model }: EntryResult): number => nodes * 10 + SIMPLEST_FIRST.indexOf(model);

function reasons(
  winner: EntryResult,
  valid: readonly EntryResult[],
  equals: readonly EntryResult[],
  kind: 'cpu' | 'io',
  cores: number,
): string[] {
  const { wallMs, speedup, efficiency } = winner;
  const said = [
    `${milliseconds(wallMs.median)}, ${times(speedup)} serial on ${counted(cores, 'core')} (efficiency ${efficiency.toFixed(2)})`,
  ];
  const tied = equals.filter((entry) => entry !== winner);
  if (tied.length > 0) {
    said.push(
      `${tied.map((entry) => nameOf(entry, valid)).join(' and ')} within ${NOISE * 100}%, and ${winner.model} is the simplest of them`,
    );
  }
  const memory = tied.filter((entry) => entry.peakRssBytes > winner.peakRssBytes * 1.1);
  if (memory.length > 0) {
    const most = memory.reduce((a, b) => (b.peakRssBytes > a.peakRssBytes ? b : a));
    said.push(`${bytes(winner.peakRssBytes)} of memory against ${bytes(most.peakRssBytes)} for ${nameOf(most, valid)}`);
  }
  const next = valid.filter((e) => !equals.includes(e)).sort((a, b) => a.wallMs.median - b.wallMs.median)[0];
  if (next !== undefined) {
    const slower = next.wallMs.median / wallMs.median - 1;
    said.push(`next is ${nameOf(next, valid)}, ${(slower * 100).toFixed(0)}% slower`);
  }
  const serial = valid.find(({ model }) => model === 'serial');
  if (serial !== undefined && serial !== winner && serial.callerStallMs > 2 * winner.callerStallMs) {
    const stalls = `${milliseconds(serial.callerStallMs)} at a time, this one ${milliseconds(winner.callerStallMs)}`;
    said.push(`serial blocks its event loop ${stalls}`);
  }
  if (kind === 'io') said.push(...widthText(valid));
  const rule = kind === 'cpu' ? 'processes' : 'async';
  if (winner.model !== rule) said.push(`the common rule for ${kind} work says ${rule}: not here`);
  return said;
}

/** Where threads stop paying: what the most of them came to, beside what one event loop did with more in flight. */
function widthText(valid: readonly EntryResult[]): string[] {
  const alone = valid.filter(({ nodes }) => nodes === 1);
  const widest = (model: string, width: keyof Shape): EntryResult | undefined =>
    alone.filter((entry) => entry.model === model).sort((a, b) => b.shape[width] - a.shape[width])[0];
  const [threads, async] = [widest('threads', 'threads'), widest('async', 'concurrency')];
  if (threads === undefined || async === undefined || threads.shape.threads >= async.shape.concurrency) return [];
  const cost = ({ wallMs, peakRssBytes }: EntryResult): string =>
    `${milliseconds(wallMs.median)} and ${bytes(peakRssBytes)}`;
  return [
    `${counted(threads.shape.threads, 'thread')} took ${cost(threads)}, one with ${counted(async.shape.concurrency, 'task')} in flight ${cost(async)}`,
  ];
}

/** With its shape where the model alone would not tell it from another. */
export function nameOf({ model, nodes, shape }: EntryResult, among: readonly EntryResult[]): string {
  const twice = among.filter((entry) => entry.model === model && entry.nodes === nodes).length > 1;
  const name = twice ? `${model} ${shape.processes}×${shape.threads}×${shape.concurrency}` : model;
  return nodes === 1 ? name : `${name} on ${nodes} nodes`;
}
