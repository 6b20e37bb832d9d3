/** Notices runs that get nowhere, and says why by itself: nobody may be looking. */

/** A run that goes on. */
export interface Watched {
  readonly id: string;
  /** Tasks that have ended so far. */
  readonly done: number;
}

export interface Stuck {
  readonly runId: string;
  readonly ms: number;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
}

interface Mark {
  done: number;
  since: number;
  /** The next complaint is due then; each wait is twice the one before. */
  complainAt: number;
}

export class Watchdog {
  readonly #noProgressMs: number;
  readonly #marks = new Map<string, Mark>();

  /** @param noProgressMs after so long without a task ended a run is stuck */
  constructor(noProgressMs: number) {
    this.#noProgressMs = noProgressMs;
  }

  /** @returns the runs to complain of now */
  look(runs: readonly Watched[], now: number, explain: (runId: string) => Stuck['reasons']): Stuck[] {
    const stuck: Stuck[] = [];
    const before = new Map(this.#marks);
    this.#marks.clear();
    for (const { id, done } of runs) {
      const mark = before.get(id);
      if (mark === undefined || mark.done !== done) {
        this.#marks.set(id, { done, since: now, complainAt: now + this.#noProgressMs });
        continue;
      }
      this.#marks.set(id, mark);
      if (now < mark.complainAt) continue;
      mark.complainAt = now + (now - mark.since) + this.#noProgressMs;
      stuck.push({ runId: id, ms: now - mark.since, reasons: explain(id) });
    }
    return stuck;
  }
}
