/** Calls that were refused for want of the right token: all are counted, and few are worth a line in the log. */
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
  readonly #log: Pick<Logger, 'warn'>;
  readonly #counts = { grpc: { missing: 0, wrong: 0 }, metrics: { missing: 0, wrong: 0 } };
  /** Since the last line: however many peers there are, this is all that is kept of them. */
  #unsaid = 0;
  #last = '';
  #quiet: NodeJS.Timeout | undefined;

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  /** Since this process started. */
  get counts(): Readonly<Record<Door, Readonly<Record<Refused, number>>>> {
    return this.#counts;
  }

  /** @param peer its address */
  note(door: Door, reason: Refused, peer: string): void {
    this.#counts[door][reason]++;
    this.#unsaid++;
    this.#last = `the last from ${peer}: ${WHAT[door][reason]}`;
    if (this.#quiet === undefined)
      this.#say(`refused a ${door === 'grpc' ? 'call' : 'look at metrics'} from ${peer}: ${WHAT[door][reason]}`);
  }

  #say(line: string): void {
    this.#log.warn(this.counts, line);
    this.#unsaid = 0;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#unsaid > 0) this.#say(`refused ${this.#unsaid} more calls, ${this.#last}`);
    }, limits.refusalLogMs);
    // It must not keep a coordinator that ends alive.
    this.#quiet.unref();
  }
}
