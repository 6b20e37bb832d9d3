/**
 * Where this node's tasks get permission to talk to their targets. Permits come from the coordinator; one that lasts goes
 * from task to task here, and nobody is asked.
 *
 * - D1: a task begins with a permit in its name, which is given back when the task has settled or its attempt has ended,
 *   however that came about.
 * - D2: without a connection no task begins: what is held elsewhere is not known then.
 * - D3: a target that asked to be left alone is, from this node at once, from others when the coordinator has told them.
 * - D4: what is said to the coordinator is the state of what has changed; after a connection is made, of everything.
 */
import { limits } from './limits.ts';
import { type Place, Spot, type Told } from './spot.ts';

export interface SpotDemand extends Told {
  readonly runId: string;
  readonly target: string;
  readonly pauseMs: number;
}

export interface Demand {
  /** The newest permits of this connection that it takes into account. */
  readonly heard: number;
  readonly targets: SpotDemand[];
}

export interface Permits {
  readonly serial: number;
  readonly targets: readonly {
    readonly runId: string;
    readonly target: string;
    readonly grant: number;
    readonly takeBack: number;
    readonly afterMs: number;
    readonly everyMs: number;
  }[];
}

interface Ask {
  readonly spot: Spot;
  uses: boolean;
}

export class Desk {
  readonly #grant: (attemptId: number) => void;
  readonly #spots = new Map<string, Spot>();
  readonly #places = new Map<string, Place>();
  readonly #asks = new Map<number, Ask>();
  readonly #changed = new Set<Spot>();
  #send: ((demand: Demand) => void) | undefined;
  #heard = 0;
  #holds = false;
  #flushTimer: NodeJS.Timeout | undefined;

  /** @param grant told of each attempt whose next task may begin */
  constructor(grant: (attemptId: number) => void) {
    this.#grant = grant;
  }

  /** The attempt's next task is to talk to the target. One that asks again waits anew. */
  ask(attemptId: number, runId: string, target: string): void {
    this.done(attemptId);
    const spot = this.#spotFor(runId, target);
    spot.waiting.add(attemptId);
    this.#asks.set(attemptId, { spot, uses: false });
    this.#serve(spot);
  }

  /** The task has settled, or will not begin (D1). @param retryAfterMs that the target asked for; 0 where it did not */
  done(attemptId: number, retryAfterMs = 0): void {
    const ask = this.#asks.get(attemptId);
    if (ask === undefined) return;
    const { spot, uses } = ask;
    this.#asks.delete(attemptId);
    if (retryAfterMs > 0) this.#pause(spot, retryAfterMs);
    if (!uses) {
      spot.waiting.delete(attemptId);
    } else {
      spot.using--;
      if (spot.owed > 0) spot.owed--;
      else spot.idle++;
    }
    this.#serve(spot);
  }

  /** While it is on no task begins, and permits that are not in use are others'. */
  hold(on: boolean): void {
    this.#holds = on;
    for (const spot of this.#spots.values()) this.#serve(spot);
  }

  /** From now on this is where demands go; permits of an earlier connection that are in use go back when they can. */
  connected(send: (demand: Demand) => void): void {
    this.#send = send;
    this.#heard = 0;
    for (const spot of this.#spots.values()) this.#change(spot);
    this.#planFlush(0);
  }

  /** D2. */
  disconnected(): void {
    this.#send = undefined;
    for (const spot of this.#spots.values()) {
      spot.giveUp();
      spot.told = undefined;
    }
  }

  heard({ serial, targets }: Permits): void {
    this.#heard = serial;
    const now = performance.now();
    for (const { runId, target, grant, takeBack, afterMs, everyMs } of targets) {
      const spot = this.#spotFor(runId, target);
      spot.answers = true;
      if (grant > 0 && takeBack > 0) {
        for (let i = 0; i < grant; i++) spot.due.push({ at: now + afterMs + i * everyMs, everyMs });
      } else {
        spot.idle += grant;
        // A permit that is good for one task goes back by itself.
        const fromIdle = Math.min(spot.idle, takeBack);
        spot.idle -= fromIdle;
        spot.owed = Math.min(spot.using, spot.owed + takeBack - fromIdle);
      }
      this.#serve(spot);
    }
  }

  close(): void {
    clearTimeout(this.#flushTimer);
    for (const spot of this.#spots.values()) {
      clearTimeout(spot.dueTimer);
      clearTimeout(spot.lingerTimer);
    }
  }

  #spotFor(runId: string, target: string): Spot {
    const key = keyOf(runId, target);
    let spot = this.#spots.get(key);
    if (spot === undefined) {
      spot = new Spot(runId, target, this.#placeOf(target));
      this.#spots.set(key, spot);
    }
    return spot;
  }

  #placeOf(target: string): Place {
    let place = this.#places.get(target);
    if (place === undefined) {
      if (this.#places.size >= limits.placesMax + this.#spots.size) this.#sweepPlaces();
      place = { pausedUntil: Number.NEGATIVE_INFINITY, lastAt: Number.NEGATIVE_INFINITY };
      this.#places.set(target, place);
    }
    return place;
  }

  #sweepPlaces(): void {
    const now = performance.now();
    const inUse = new Set([...this.#spots.values()].map(({ place }) => place));
    for (const [target, place] of this.#places) {
      if (place.pausedUntil <= now && !inUse.has(place)) this.#places.delete(target);
    }
  }

  /** D3. */
  #pause(spot: Spot, ms: number): void {
    const { place } = spot;
    const until = performance.now() + Math.min(ms, limits.pauseMsMax);
    if (until <= place.pausedUntil) return;
    place.pausedUntil = until;
    spot.tellsPause = true;
    for (const other of this.#spots.values()) if (other.place === place) this.#serve(other);
  }

  /** Lets begin whoever may, and looks after what is left. */
  #serve(spot: Spot): void {
    const now = performance.now();
    if (this.#send === undefined || this.#holds || now < spot.place.pausedUntil) {
      this.#stand(spot, now);
    } else {
      while (spot.idle > 0 && spot.waiting.size > 0) {
        spot.idle--;
        this.#begin(spot, now);
      }
      this.#serveDue(spot, now);
    }
    spot.idleLeast = Math.min(spot.idleLeast, spot.idle);
    if (spot.idle > 0 && spot.lingerTimer === undefined) this.#linger(spot);
    this.#change(spot);
  }

  /** Nobody may begin: permits are of use elsewhere. Those for a time after the pause are kept. */
  #stand(spot: Spot, now: number): void {
    const { due, place } = spot;
    spot.giveUp();
    if (this.#send === undefined || this.#holds) return;
    spot.due = due.map((one) => ({ ...one, at: Math.max(one.at, place.pausedUntil) }));
    this.#serveDue(spot, now);
  }

  #serveDue(spot: Spot, now: number): void {
    clearTimeout(spot.dueTimer);
    const { place, waiting } = spot;
    // More than there are tasks for are of no use later either.
    spot.due.length = Math.min(spot.due.length, waiting.size);
    for (let next = spot.due[0]; next !== undefined; next = spot.due[0]) {
      // One that comes late must not be followed too soon.
      next.at = Math.max(next.at, place.lastAt + next.everyMs);
      if (next.at > now) {
        spot.dueTimer = setTimeout(() => this.#serve(spot), Math.ceil(next.at - now));
        return;
      }
      spot.due.shift();
      spot.owed++;
      this.#begin(spot, now);
    }
  }

  #begin(spot: Spot, now: number): void {
    const [attemptId] = spot.waiting;
    spot.waiting.delete(attemptId!);
    spot.using++;
    spot.place.lastAt = now;
    this.#asks.get(attemptId!)!.uses = true;
    this.#grant(attemptId!);
  }

  /** Gives back what nobody has needed for a while. */
  #linger(spot: Spot): void {
    spot.idleLeast = spot.idle;
    spot.lingerTimer = setTimeout(() => {
      spot.lingerTimer = undefined;
      spot.idle -= Math.min(spot.idle, spot.idleLeast);
      this.#serve(spot);
    }, limits.lingerMs);
    spot.lingerTimer.unref();
  }

  #change(spot: Spot): void {
    this.#changed.add(spot);
    this.#planFlush(limits.gatherMs);
  }

  #planFlush(ms: number): void {
    if (this.#send === undefined || this.#flushTimer !== undefined) return;
    this.#flushTimer = setTimeout(() => {
      this.#flushTimer = undefined;
      this.#flush();
    }, ms);
  }

  /** D4. */
  #flush(): void {
    if (this.#send === undefined) return;
    const now = performance.now();
    const targets: SpotDemand[] = [];
    for (const spot of this.#changed) {
      const { runId, target, held, place } = spot;
      const state = { waiting: this.#holds ? 0 : spot.lacking, held };
      if (spot.isNews(state)) {
        const pauseMs = spot.tellsPause ? Math.max(0, place.pausedUntil - now) : 0;
        targets.push({ runId, target, ...state, pauseMs });
        spot.told = state;
        spot.answers = false;
        spot.tellsPause = false;
      }
      if (held === 0 && spot.waiting.size === 0) this.#forget(spot);
    }
    this.#changed.clear();
    if (targets.length > 0) this.#send({ heard: this.#heard, targets });
  }

  #forget(spot: Spot): void {
    clearTimeout(spot.dueTimer);
    clearTimeout(spot.lingerTimer);
    this.#spots.delete(keyOf(spot.runId, spot.target));
  }
}

const keyOf = (runId: string, target: string): string => `${runId} ${target}`;
