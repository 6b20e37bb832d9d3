/**
 * The queue of one run, which its nodes pull chunks from: whoever has a free lane takes the next. It holds all attempts of
 * the run, from their publication to their end, as nobody here knows which node has taken which.
 *
 * Owns no node: shares say who may pull and how wide, as in any run. Its width is the sum of theirs.
 */

import { dumpHeld, type HolderDump, loadHeld } from './dump.ts';
import type { Run } from './run.ts';
import type { Holder, Share, Taker } from './share.ts';

export interface QueueDump {
  readonly attempts: number;
  readonly alone: boolean;
  readonly rate: number;
  readonly held: HolderDump;
}

export class Queue implements Taker {
  readonly holder: Holder = { attempts: new Map(), load: 0 };
  readonly weight = 0;
  attempts = 0;
  alone = false;
  rate = 0;
  /** Shares whose nodes are to be told, in this step, that they may pull. */
  readonly newcomers: Share[] = [];
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  get lanes(): number {
    return this.#run.lanes;
  }

  /** For all lanes: what is in the queue is bound to no node, so that nobody waits for it at the end. */
  get ahead(): number {
    return this.#run.lanes;
  }

  /** With nobody to pull, what is published would only be older when somebody comes. */
  get serves(): boolean {
    return this.#run.serving > 0;
  }

  dump(): QueueDump {
    const { attempts, alone, rate } = this;
    return { attempts, alone, rate, held: dumpHeld(this.holder) };
  }

  load({ held, ...books }: QueueDump): void {
    Object.assign(this, books);
    loadHeld(this.holder, held, () => ({ run: this.#run, taker: this }));
  }
}
