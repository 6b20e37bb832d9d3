/** What an entry's runs say of it. */
import { counted, median } from '@regatta/kernel';
import type { Shape } from '@regatta/scheduler';
import { milliseconds } from '../cli/render/format.ts';
import type { NodeView, RunSpec, RunView } from '../cli/views.ts';
import { type Entry, totalCores } from './entries.ts';

export interface Sample {
  readonly run: RunView;
  readonly digest: string;
  readonly warmUp: boolean;
}

/** One row of a race. Figures other than `wallMs` are medians over its runs; times in ms. */
export interface EntryResult {
  readonly model: string;
  readonly nodes: number;
  /** On each node. */
  readonly shape: Shape;
  readonly transport: RunSpec['transport'];
  /** From submission to the commit of the last result. */
  readonly wallMs: { readonly median: number; readonly min: number; readonly max: number; readonly runs: number };
  /** Times as fast as `serial`, or as that would be. */
  readonly speedup: number;
  /** `speedup` for each core that the shape can keep busy. */
  readonly efficiency: number;
  /** CPU time of the threads that ran tasks. */
  readonly cpuMs: number;
  /** Sums over chunks and lanes: they overlap with each other and with work. */
  readonly overheadMs: { readonly dispatch: number; readonly serialize: number; readonly wait: number };
  /** Largest resident memory of each host process, summed. */
  readonly peakRssBytes: number;
  /** The longest that an event loop beside the work was blocked; for `serial` and `async` the work is in that loop. */
  readonly callerStallMs: number;
  /** SHA-256 of the results in task order. */
  readonly resultDigest: string;
  readonly valid: boolean;
  readonly notes: readonly string[];
}

export function resultOf(
  entry: Entry,
  samples: readonly Sample[],
  serialMs: number,
  nodes: readonly NodeView[],
): EntryResult {
  const measured = samples.filter(({ warmUp }) => !warmUp).map(({ run }) => run);
  const middle = (figure: (run: RunView) => number): number => median(measured.map(figure));
  const walls = measured.map(({ wallMs }) => wallMs);
  const wall = median(walls);
  const shape = measured[0]!.accounting.nodes[0]?.shape ?? entry.spec.shape;
  const speedup = serialMs / wall;
  const busyCores = Math.min(entry.nodes * shape.processes * shape.threads, totalCores(nodes));
  const faults = faultsOf(samples);
  return {
    model: entry.model,
    nodes: entry.nodes,
    shape,
    transport: measured[0]!.spec.transport,
    wallMs: { median: wall, min: Math.min(...walls), max: Math.max(...walls), runs: walls.length },
    speedup,
    efficiency: speedup / busyCores,
    cpuMs: middle(({ accounting }) => accounting.cpuMs),
    overheadMs: {
      dispatch: middle(({ accounting }) => accounting.dispatchMs),
      serialize: middle(({ accounting }) => accounting.serializeMs),
      wait: middle(({ accounting }) => accounting.waitMs),
    },
    peakRssBytes: middle(({ accounting }) => accounting.peakRssBytes),
    callerStallMs: middle(({ accounting }) => accounting.stallMs),
    resultDigest: samples[0]!.digest,
    valid: faults.length === 0,
    notes: [...faults, ...startNote(samples, wall)],
  };
}

/** What makes the measurement one of something else. */
function faultsOf(samples: readonly Sample[]): string[] {
  const runs = samples.map(({ run }) => run);
  const sum = (figure: (run: RunView) => number): number => runs.reduce((total, run) => total + figure(run), 0);
  const failed = sum((run) => run.failed + run.cancelled);
  const lost = sum(({ accounting }) => accounting.lostAttempts);
  const throttled = sum(({ accounting }) => accounting.throttledMs);
  const digests = new Set(samples.map(({ digest }) => digest)).size;
  return [
    failed > 0 ? `${counted(failed, 'task')} did not succeed` : '',
    lost > 0 ? `${counted(lost, 'attempt')} lost: a node or host process died in mid-race` : '',
    throttled > 0 ? `throttled for ${milliseconds(throttled)} by the CPU quota` : '',
    digests > 1 ? 'its own runs gave different results' : '',
  ].filter((fault) => fault !== '');
}

/** The first run started what later ones found running. */
function startNote(samples: readonly Sample[], wall: number): string[] {
  const extra = (samples.find(({ warmUp }) => warmUp)?.run.wallMs ?? 0) - wall;
  return extra < 1 ? [] : [`its first run, not counted, took ${milliseconds(extra)} more`];
}
