/**
 * What has ended how, so far; and every reason to fail, once each.
 *
 * - Y1: a reason is a line. Of those that differ in numbers only, the first few are kept and all are counted.
 */
import type { RunView } from '../../services/coordinator/src/cli/views.ts';

export interface KindTally {
  runs: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  tasks: number;
}

/** Of one sort. */
const REASONS_MAX = 3;

export class Tally {
  readonly kinds = new Map<string, KindTally>();
  /** Failures that the soak's own blows explain. */
  readonly allowed: string[] = [];
  /** From an order to cancel, or a deadline, to the end of the run, in ms: without a fault of an agent meanwhile. */
  readonly cancelMs: number[] = [];
  /** Uploads that were broken off. */
  uploadsBroken = 0;
  lastEndedAt = performance.now();
  readonly #reasons = new Map<string, string[]>();

  ended(kind: string, { state, succeeded, failed }: RunView): void {
    const tally = this.kinds.get(kind) ?? { runs: 0, succeeded: 0, failed: 0, cancelled: 0, tasks: 0 };
    this.kinds.set(kind, tally);
    tally.runs++;
    tally.tasks += succeeded + failed;
    if (state === 'succeeded' || state === 'failed' || state === 'cancelled') tally[state]++;
    this.lastEndedAt = performance.now();
  }

  /** A reason to fail. */
  wrong(reason: string): void {
    const line = reason.replaceAll(/\s+/g, ' ');
    const sort = line.replaceAll(/run-[0-9a-z]+-[0-9a-z]+|\d+/g, '#');
    this.#reasons.set(sort, [...(this.#reasons.get(sort) ?? []), line]);
  }

  get reasons(): string[] {
    return [...this.#reasons.values()].flatMap((lines) => {
      const more = lines.length - REASONS_MAX;
      return more > 0 ? [...lines.slice(0, REASONS_MAX), `… and ${more} more like it`] : lines;
    });
  }

  get failing(): boolean {
    return this.#reasons.size > 0;
  }

  sum(): KindTally {
    const sum = { runs: 0, succeeded: 0, failed: 0, cancelled: 0, tasks: 0 };
    for (const tally of this.kinds.values())
      for (const name of Object.keys(sum) as (keyof KindTally)[]) sum[name] += tally[name];
    return sum;
  }
}
