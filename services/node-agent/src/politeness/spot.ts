/** Where the tasks of one run wait to talk to one target, on this node. Times in ms, of performance.now(). */

/** A target, as all runs here meet it. */
export interface Place {
  /** It asked to be left alone until then. */
  pausedUntil: number;
  /** When the newest task here began to talk to it. */
  lastAt: number;
}

/** A permit that is good for one task, from a time on. */
export interface Due {
  at: number;
  readonly everyMs: number;
}

export interface Told {
  readonly waiting: number;
  readonly held: number;
}

export class Spot {
  readonly runId: string;
  readonly target: string;
  readonly place: Place;
  /** Attempts whose next task waits, in the order that they came. */
  readonly waiting = new Set<number>();
  /** Permits in use; so many of them go back when their tasks end. */
  using = 0;
  owed = 0;
  /** Lasting permits that nobody uses right now, and the fewest there were since the last look. */
  idle = 0;
  idleLeast = 0;
  /** The soonest first. */
  due: Due[] = [];
  /** What the coordinator was told last; undefined where it knows nothing of this. */
  told: Told | undefined;
  /** It is owed an answer, whether anything has changed or not. */
  answers = false;
  tellsPause = false;
  dueTimer: NodeJS.Timeout | undefined;
  lingerTimer: NodeJS.Timeout | undefined;

  constructor(runId: string, target: string, place: Place) {
    this.runId = runId;
    this.target = target;
    this.place = place;
  }

  get held(): number {
    return this.using + this.idle + this.due.length;
  }

  /** Tasks for which there is no permit yet. */
  get lacking(): number {
    return Math.max(0, this.waiting.size - this.idle - this.due.length);
  }

  /** Fewer that wait are no news while some do: nobody does anything else for it. */
  isNews(now: Told): boolean {
    const { told } = this;
    if (told === undefined || this.answers || this.tellsPause) return true;
    return now.held !== told.held || now.waiting > told.waiting || (now.waiting === 0 && told.waiting > 0);
  }

  /** Permits that are not in use go back now, those in use when their tasks end. */
  giveUp(): void {
    this.idle = 0;
    this.due = [];
    this.owed = this.using;
  }
}
