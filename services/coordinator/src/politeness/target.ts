/** One target: who waits for it, who has permits for it, and when the next may be given. Times in ms, of one clock. */
import { limits } from './limits.ts';

/** What a run asks for; infinite where it asks for nothing. */
export interface TargetLimits {
  readonly inFlight: number;
  readonly perSecond: number;
}

export const UNLIMITED: TargetLimits = { inFlight: Number.POSITIVE_INFINITY, perSecond: Number.POSITIVE_INFINITY };

/** An order that its node has not answered yet. */
interface Unheard {
  readonly serial: number;
  readonly granted: number;
  /** It takes back what was given before it. */
  readonly recalls: boolean;
}

/** Tasks of one run on one node, as far as one target goes. */
export class Holder {
  readonly node: string;
  readonly runId: string;
  limits = UNLIMITED;
  /** Without those for whom permits are on their way. */
  waiting = 0;
  /** Of its permits, those that it was told to give back. */
  owed = 0;
  /** When it came, was last given one or gave one back: in the order of such things. */
  turn: number;
  /** Since then it has waited, and been given nothing. */
  waitsSince = 0;
  /** Its node is lost: until then its permits count. */
  goneAt = Number.POSITIVE_INFINITY;
  #held = 0;
  #unheard: Unheard[] = [];

  constructor(node: string, runId: string, turn: number) {
    this.node = node;
    this.runId = runId;
    this.turn = turn;
  }

  /** Permits that it has, or that are on their way to it. */
  get permits(): number {
    return this.#held + this.#onTheirWay;
  }

  get #onTheirWay(): number {
    let sum = 0;
    for (const { granted } of this.#unheard) sum += granted;
    return sum;
  }

  /** Permits that it may use again and again. */
  get lasting(): number {
    return this.permits - this.owed;
  }

  /** A node may still use again what it does not know to be taken back. */
  get recallUnheard(): boolean {
    return this.#unheard.some(({ recalls }) => recalls);
  }

  get isGone(): boolean {
    return this.goneAt < Number.POSITIVE_INFINITY;
  }

  /** @param heard orders up to this serial are in what it says. @returns whether it has heard of something taken back */
  tell(heard: number, waiting: number, held: number, now: number): boolean {
    const known = this.#unheard.filter(({ serial }) => serial <= heard);
    this.#unheard = this.#unheard.filter(({ serial }) => serial > heard);
    const had = known.reduce((sum, { granted }) => sum + granted, this.#held);
    this.#held = held;
    this.owed = Math.min(this.permits, Math.max(0, this.owed - Math.max(0, had - held)));
    const before = this.waiting;
    this.waiting = Math.max(0, waiting - this.#onTheirWay);
    if (before === 0) this.waitsSince = now;
    return known.some(({ recalls }) => recalls);
  }

  /** It has got a permit, or given one back. */
  queueAnew(turn: number, now: number): void {
    this.turn = turn;
    this.waitsSince = now;
  }

  give(serial: number, once: boolean, turn: number, now: number): void {
    this.#unheard.push({ serial, granted: 1, recalls: false });
    this.waiting--;
    if (once) this.owed++;
    this.queueAnew(turn, now);
  }

  takeBack(serial: number, count: number): void {
    this.#unheard.push({ serial, granted: 0, recalls: true });
    this.owed += count;
  }
}

export class Target {
  readonly name: string;
  readonly holders = new Map<string, Holder>();
  pausedUntil = Number.NEGATIVE_INFINITY;
  /** When the newest permit was to be used first. */
  lastAt = Number.NEGATIVE_INFINITY;
  /** Between two beginnings. */
  spacingMs = 0;
  /** Until then it must not be forgotten: what was begun last counts for its rate. */
  keptUntil = Number.NEGATIVE_INFINITY;
  /** When it is looked at without a cause, at the latest. */
  alarmAt = Number.POSITIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  /** A task may begin then, or may have begun. */
  begins(at: number): void {
    this.lastAt = Math.max(this.lastAt, at);
    this.keptUntil = Math.max(this.keptUntil, at + this.spacingMs);
  }

  /** The strictest of all runs that wait for it or talk to it. */
  get limits(): TargetLimits {
    let { inFlight, perSecond } = UNLIMITED;
    for (const holder of this.holders.values()) {
      inFlight = Math.min(inFlight, holder.limits.inFlight);
      perSecond = Math.min(perSecond, holder.limits.perSecond);
    }
    return { inFlight, perSecond };
  }

  get permits(): number {
    let sum = 0;
    for (const holder of this.holders.values()) sum += holder.permits;
    return sum;
  }

  get owed(): number {
    let sum = 0;
    for (const holder of this.holders.values()) sum += holder.owed;
    return sum;
  }

  /** Who is to have the next permit: of those who wait, whoever has the fewest; of these, whoever waits longest. */
  next(): Holder | undefined {
    let best: Holder | undefined;
    for (const holder of this.holders.values()) {
      if (holder.waiting <= 0 || holder.isGone) continue;
      const fewer = best === undefined || holder.permits < best.permits;
      if (fewer || (holder.permits === best!.permits && holder.turn < best!.turn)) best = holder;
    }
    return best;
  }

  /** Of those with more lasting permits than `least`, whoever has most; of these, whoever was last given one longest ago. */
  richest(least: number): Holder | undefined {
    let best: Holder | undefined;
    for (const holder of this.holders.values()) {
      if (holder.lasting <= least || holder.isGone) continue;
      const more = best === undefined || holder.lasting > best.lasting;
      if (more || (holder.lasting === best!.lasting && holder.turn < best!.turn)) best = holder;
    }
    return best;
  }

  /** Those who have waited for their share for longer than can be asked of them. */
  impatient(share: number, now: number): Holder[] {
    return [...this.holders.values()].filter(
      (holder) => holder.waiting > 0 && holder.permits < share && now - holder.waitsSince >= limits.patienceMs,
    );
  }

  get recallsUnheard(): boolean {
    for (const holder of this.holders.values()) if (holder.recallUnheard && !holder.isGone) return true;
    return false;
  }
}
