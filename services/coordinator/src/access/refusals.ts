/** Calls that were refused for want of the right token: all are counted, and few are worth a line in the log. */
import { NowAndThen } from '@regatta/access';
import { counted } from '@regatta/kernel';
import type { Logger } from 'pino';
import { limits } from '../engine/limits.ts';

/** What was refused at: calls of nodes and clients, or whoever asks for metrics; each wants a token of its own. */
type Door = 'grpc' | 'metrics';
export type Refused = 'missing' | 'wrong';

/** How open a coordinator is, for its status. */
export interface Access {
  readonly wantsToken: boolean;
  /** What people were warned of. */
  readonly insecure: readonly string[];
  /** Calls of nodes and clients, as it is counted on. */
  readonly refused: Readonly<Record<Refused, number>>;
}

/** Where all are let in. */
export const OPEN_TO_ALL: Access = { wantsToken: false, insecure: [], refused: { missing: 0, wrong: 0 } };

const WHAT = {
  grpc: { missing: 'it gave no token', wrong: 'its token is wrong' },
  metrics: { missing: 'it gave no metrics token', wrong: 'its metrics token is wrong' },
} as const satisfies Record<Door, Record<Refused, string>>;

export class Refusals {
  readonly #counts = { grpc: { missing: 0, wrong: 0 }, metrics: { missing: 0, wrong: 0 } };
  readonly #lines: NowAndThen;

  constructor(log: Pick<Logger, 'warn'>) {
    this.#lines = new NowAndThen(limits.refusalLogMs, (line) => log.warn(this.counts, line));
  }

  /** Since this process started. */
  get counts(): Readonly<Record<Door, Readonly<Record<Refused, number>>>> {
    return this.#counts;
  }

  /** @param peer its address */
  note(door: Door, reason: Refused, peer: string): void {
    this.#counts[door][reason]++;
    const why = `${peer}: ${WHAT[door][reason]}`;
    this.#lines.note(
      `refused a ${door === 'grpc' ? 'call' : 'look at metrics'} from ${why}`,
      (count) => `refused ${counted(count, 'more call')}, the last from ${why}`,
    );
  }
}
