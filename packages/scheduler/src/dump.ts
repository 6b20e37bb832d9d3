/**
 * What the parts of a snapshot have in common: numbers, attempts, references by id. Plain data in, plain data out; the
 * whole of it is in `snapshot.ts`.
 */
import { assert } from '@regatta/kernel';
import type { Attempt } from './node.ts';
import type { Run } from './run.ts';
import type { Holder, Share, Taker } from './share.ts';
import type { AttemptState } from './transitions.ts';

/** JSON has no infinities: they are written as text. */
export type DumpedNumber = number | 'Infinity' | '-Infinity';

/** What is held at one place; in the order in which it was handed out. */
export interface HolderDump {
  readonly load: number;
  readonly attempts: readonly AttemptDump[];
}

interface AttemptDump {
  readonly id: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  readonly failures: number;
  readonly nodeLosses: number;
  readonly alone: boolean;
  readonly assignedAt: number;
  readonly reported: number;
  readonly state: AttemptState;
  /** Where it was. */
  readonly copies?: number;
  readonly copiedAt?: number;
  /** This is its second place. */
  readonly isCopy?: true;
}

export function dumpHeld(holder: Holder): HolderDump {
  const attempts = Array.from(holder.attempts.values(), ({ run, taker, copy, copies, copiedAt, ...own }) => ({
    ...own,
    runId: run.id,
    ...(copies > 0 && { copies, copiedAt }),
    ...(copy?.holder === holder && { isCopy: true as const }),
  }));
  return { load: holder.load, attempts };
}

/**
 * @param hangsOn the run, and its part there, that attempts of a run of that id are entered in
 * @param known by id, attempts that were read at their other place, or will be
 */
export function loadHeld(
  holder: Holder,
  dump: HolderDump,
  hangsOn: (runId: string) => { run: Run; taker: Taker },
  known = new Map<number, Attempt>(),
): void {
  holder.load = dump.load;
  for (const { runId, isCopy, copies = 0, copiedAt = 0, ...own } of dump.attempts) {
    const { run, taker } = hangsOn(runId);
    const attempt = known.get(own.id) ?? { ...own, copies, copiedAt, run, taker, copy: undefined };
    if (isCopy === true) attempt.copy = taker as Share;
    else attempt.taker = taker;
    if (copies > 0) known.set(own.id, attempt);
    holder.attempts.set(own.id, attempt);
  }
}

export function dumpNumber(value: number): DumpedNumber {
  if (Number.isFinite(value)) return value;
  assert(!Number.isNaN(value), 'no number in the books is none');
  return value > 0 ? 'Infinity' : '-Infinity';
}

export const loadNumber = (dumped: DumpedNumber): number => Number(dumped);

/** What the snapshot itself says must be there. */
export function found<T>(map: ReadonlyMap<string, T>, id: string): T {
  const item = map.get(id);
  assert(item !== undefined, `the snapshot speaks of ${id} and does not have it`);
  return item;
}
