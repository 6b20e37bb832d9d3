/**
 * Who may talk to which target, over all nodes and runs. Pure: what nodes say and the time go in, orders come out.
 *
 * A permit lets one task talk to its target. Without a rate it lasts: its node uses it for one task after another until
 * it is taken back, so that no message is needed for each. Under a rate, or once taken back, it is good for one task.
 *
 * While several runs are at one target the strictest of their limits holds for all: a run with a looser one could
 * otherwise keep it from ever having its turn, or have it break its own limit whenever it used a permit again.
 *
 * Not counted are tasks of a lost node that go on for longer than `lostPermitMs`, and, when the coordinator has been started
 * anew, those of nodes that are not back. No node lets a task begin before it is connected and has said what it holds.
 *
 * - T1: permits of a target, those of lost nodes for a while among them, are never more than the limit was when each
 *   was given; where a stricter run comes, what is too much is taken back.
 * - T2: under a rate, the times from which permits may be used are at least 1/rate apart, and none lasts.
 * - T3: whoever waits for a target is served, unless it is paused for ever: whoever has least comes first, and after
 *   `patienceMs` those with more than their share give some.
 * - T4: what nodes say is their state, not a change of it: said twice it changes nothing.
 */
import { assert, MinHeap } from '@regatta/kernel';
import { limits } from './limits.ts';
import { Holder, Target, type TargetLimits, UNLIMITED } from './target.ts';

/** What a node says of one target. */
export interface TargetNews {
  readonly runId: string;
  readonly target: string;
  /** Tasks that wait for a permit, beyond those it has. */
  readonly waiting: number;
  /** Permits that it has. */
  readonly held: number;
  /** The target asked to be left alone for so long; 0 where it did not. */
  readonly pauseMs: number;
}

export interface PermitOrder {
  readonly runId: string;
  readonly target: string;
  readonly grant: number;
  readonly takeBack: number;
  readonly afterMs: number;
  /** No task of the node begins sooner after another. */
  readonly everyMs: number;
}

/** What goes to one node together. */
export interface NodeOrders {
  readonly node: string;
  readonly serial: number;
  readonly orders: PermitOrder[];
}

/** What some tasks of a run wait for. */
export interface TargetWait {
  readonly target: string;
  readonly tasks: number;
  readonly why:
    | { readonly kind: 'inFlight'; readonly max: number }
    | { readonly kind: 'rate'; readonly perSecond: number }
    | { readonly kind: 'paused'; readonly ms: number };
}

interface NodeBook {
  serial: number;
  readonly holders: Map<Holder, Target>;
}

interface Alarm {
  readonly at: number;
  readonly target: Target;
}

export class TargetBook {
  readonly #targets = new Map<string, Target>();
  readonly #nodes = new Map<string, NodeBook>();
  readonly #changed = new Set<Target>();
  /** Targets without holders, the oldest first. */
  readonly #resting = new Set<Target>();
  readonly #alarms = new MinHeap<Alarm>(({ at }) => at);
  #orders = new Map<string, NodeOrders>();
  #turn = 0;

  /** How many targets it remembers. */
  get size(): number {
    return this.#targets.size;
  }

  /** A node is connected, anew or for the first time: it will say what it holds, and what was known is void. */
  joined(node: string): void {
    for (const [holder, target] of this.#nodes.get(node)?.holders ?? []) this.#drop(holder, target);
    this.#nodes.set(node, { serial: 0, holders: new Map() });
  }

  /**
   * @param heard the newest order that this takes into account
   * @param asked by its run; undefined where that is not known, or over: then what it has counts, and it gets no more
   * @throws Error where the node talks to more targets than any has lanes
   */
  told(node: string, heard: number, news: TargetNews, asked: TargetLimits | undefined, now: number): void {
    const book = this.#nodes.get(node);
    assert(book !== undefined, 'a node speaks of targets that has not joined');
    const target = this.#targetNamed(news.target);
    const key = `${node} ${news.runId}`;
    const holder = target.holders.get(key) ?? new Holder(node, news.runId, ++this.#turn);
    if (!target.holders.has(key)) {
      if (book.holders.size >= limits.targetsPerNodeMax)
        throw new Error(`its tasks talk to more than ${limits.targetsPerNodeMax} targets`);
      target.holders.set(key, holder);
      book.holders.set(holder, target);
      this.#resting.delete(target);
    }
    if (asked !== undefined) holder.limits = asked;
    const had = holder.permits;
    // What was used over and over until now may have begun a moment ago.
    if (holder.tell(heard, asked === undefined ? 0 : news.waiting, news.held, now)) target.begins(now);
    // It had its turn until now: whoever came meanwhile is before it.
    if (holder.permits < had) holder.queueAnew(++this.#turn, now);
    if (news.pauseMs > 0)
      target.pausedUntil = Math.max(target.pausedUntil, now + Math.min(news.pauseMs, limits.pauseMsMax));
    if (holder.permits === 0 && holder.waiting === 0) this.#drop(holder, target);
    this.#changed.add(target);
  }

  /** Its permits count a while longer. */
  lost(node: string, now: number): void {
    if (this.#nodes.get(node)?.holders.size === 0) this.#nodes.delete(node);
    for (const [holder, target] of this.#nodes.get(node)?.holders ?? []) {
      holder.waiting = 0;
      holder.owed = holder.permits;
      holder.goneAt = Math.min(holder.goneAt, now + limits.lostPermitMs);
      this.#changed.add(target);
    }
  }

  /** What is to be told to whom, and when to ask again at the latest. Orders of one node are in the order of their serials. */
  decide(now: number): { readonly orders: readonly NodeOrders[]; readonly wakeAt: number } {
    this.#orders = new Map();
    while ((this.#alarms.peek()?.at ?? Number.POSITIVE_INFINITY) <= now) {
      const { target, at } = this.#alarms.pop()!;
      if (target.alarmAt !== at) continue;
      target.alarmAt = Number.POSITIVE_INFINITY;
      this.#changed.add(target);
    }
    for (const target of this.#changed) this.#decideOn(target, now);
    this.#changed.clear();
    return { orders: [...this.#orders.values()], wakeAt: this.#alarms.peek()?.at ?? Number.POSITIVE_INFINITY };
  }

  /** What its tasks wait for. */
  waits(runId: string, now: number): TargetWait[] {
    const waits: TargetWait[] = [];
    for (const target of this.#targets.values()) {
      let tasks = 0;
      for (const holder of target.holders.values()) if (holder.runId === runId) tasks += holder.waiting;
      const why = tasks === 0 ? undefined : whyWaits(target, now);
      if (why !== undefined) waits.push({ target: target.name, tasks, why });
    }
    return waits;
  }

  /** Permits of a target that are out: of all nodes and runs. */
  permits(target: string): number {
    return this.#targets.get(target)?.permits ?? 0;
  }

  #targetNamed(name: string): Target {
    const known = this.#targets.get(name);
    if (known !== undefined) return known;
    const target = new Target(name);
    this.#targets.set(name, target);
    return target;
  }

  #drop(holder: Holder, target: Target): void {
    target.holders.delete(`${holder.node} ${holder.runId}`);
    const node = this.#nodes.get(holder.node);
    node?.holders.delete(holder);
    if (holder.isGone && node?.holders.size === 0) this.#nodes.delete(holder.node);
    this.#changed.add(target);
  }

  #decideOn(target: Target, now: number): void {
    for (const holder of [...target.holders.values()]) if (holder.goneAt <= now) this.#drop(holder, target);
    if (target.holders.size === 0) return this.#rest(target, now);
    const { inFlight, perSecond } = target.limits;
    target.spacingMs = 1000 / perSecond;
    const paused = now < target.pausedUntil;
    let wakeAt = paused ? target.pausedUntil : Number.POSITIVE_INFINITY;
    for (const { goneAt } of target.holders.values()) wakeAt = Math.min(wakeAt, goneAt);
    if (paused || target.spacingMs > 0) this.#takeAllBack(target);
    else wakeAt = Math.min(wakeAt, this.#share(target, inFlight, now));
    if (!paused) wakeAt = Math.min(wakeAt, this.#give(target, inFlight, now));
    this.#wake(target, wakeAt);
  }

  /** T2. */
  #takeAllBack(target: Target): void {
    for (const holder of target.holders.values()) {
      if (holder.lasting > 0 && !holder.isGone) this.#takeBack(target, holder, holder.lasting);
    }
  }

  /** Takes back what is too much, and what others have waited for long enough. @returns when to look again */
  #share(target: Target, inFlight: number, now: number): number {
    let tooMany = target.permits - target.owed - inFlight;
    for (let rich = target.richest(0); tooMany > 0 && rich !== undefined; rich = target.richest(0)) {
      this.#takeBack(target, rich, 1);
      tooMany--;
    }
    if (target.permits < inFlight) return Number.POSITIVE_INFINITY;
    const parties = [...target.holders.values()].filter(({ isGone }) => !isGone).length;
    const share = Math.max(1, Math.floor(inFlight / parties));
    const impatient = target.impatient(share, now);
    let lacking = -Math.max(0, target.owed - Math.max(0, target.permits - inFlight));
    for (const { waiting, permits } of impatient) lacking += Math.min(waiting, share - permits);
    // With fewer permits than parties, those who have one take turns with those who have none.
    const spared = inFlight < parties ? 0 : share;
    for (let rich = target.richest(spared); lacking > 0 && rich !== undefined; rich = target.richest(spared)) {
      this.#takeBack(target, rich, 1);
      lacking--;
    }
    let wakeAt = Number.POSITIVE_INFINITY;
    for (const { waiting, permits, waitsSince } of target.holders.values()) {
      if (waiting <= 0 || permits >= share) continue;
      const patientUntil = waitsSince + limits.patienceMs;
      if (patientUntil > now) wakeAt = Math.min(wakeAt, patientUntil);
    }
    return wakeAt;
  }

  /** @returns when to look again */
  #give(target: Target, inFlight: number, now: number): number {
    const { spacingMs } = target;
    if (spacingMs > 0 && target.recallsUnheard) return Number.POSITIVE_INFINITY;
    for (let free = inFlight - target.permits; free > 0; free--) {
      const holder = target.next();
      if (holder === undefined) return Number.POSITIVE_INFINITY;
      const at = Math.max(now, target.lastAt + spacingMs);
      if (at > now + limits.aheadMs) return at - limits.aheadMs;
      target.begins(at);
      const once = spacingMs > 0;
      const { node, runId } = holder;
      holder.give(this.#to(node).serial, once, ++this.#turn, now);
      const order = { runId, target: target.name, grant: 1, takeBack: once ? 1 : 0, afterMs: at - now };
      this.#order(node, { ...order, everyMs: spacingMs });
    }
    return Number.POSITIVE_INFINITY;
  }

  #takeBack(target: Target, holder: Holder, count: number): void {
    const { node, runId } = holder;
    holder.takeBack(this.#to(node).serial, count);
    this.#order(node, { runId, target: target.name, grant: 0, takeBack: count, afterMs: 0, everyMs: 0 });
  }

  #to(node: string): NodeOrders {
    let orders = this.#orders.get(node);
    if (orders === undefined) {
      orders = { node, serial: ++this.#nodes.get(node)!.serial, orders: [] };
      this.#orders.set(node, orders);
    }
    return orders;
  }

  /** Joins the one before where that says the same of the same. */
  #order(node: string, order: PermitOrder): void {
    const { orders } = this.#to(node);
    const last = orders.at(-1);
    if (last === undefined || !goesOn(last, order)) return void orders.push(order);
    const [grant, takeBack] = [last.grant + order.grant, last.takeBack + order.takeBack];
    orders[orders.length - 1] = { ...last, grant, takeBack };
  }

  /** Nobody is there: it is forgotten, unless its rate or its pause would be with it. */
  #rest(target: Target, now: number): void {
    const until = Math.max(target.pausedUntil, target.keptUntil);
    if (until <= now) return this.#forget(target);
    this.#resting.add(target);
    if (this.#resting.size > limits.restingTargetsMax) this.#forget(this.#resting.values().next().value!);
    else this.#wake(target, until);
  }

  #forget(target: Target): void {
    this.#resting.delete(target);
    this.#targets.delete(target.name);
    // What is left of its alarms is of no target then.
    target.alarmAt = Number.NEGATIVE_INFINITY;
  }

  #wake(target: Target, at: number): void {
    if (at >= target.alarmAt) return;
    target.alarmAt = at;
    this.#alarms.push({ at, target });
  }
}

/** Whether the second says the same as the first, only of more. */
function goesOn(first: PermitOrder, second: PermitOrder): boolean {
  const same = first.runId === second.runId && first.target === second.target && first.everyMs === second.everyMs;
  if (!same || first.grant > 0 !== second.grant > 0 || first.takeBack > 0 !== second.takeBack > 0) return false;
  return Math.abs(first.afterMs + first.grant * first.everyMs - second.afterMs) < 0.001;
}

function whyWaits(target: Target, now: number): TargetWait['why'] | undefined {
  if (now < target.pausedUntil) return { kind: 'paused', ms: target.pausedUntil - now };
  const { inFlight, perSecond } = target.limits;
  if (target.permits >= inFlight) return { kind: 'inFlight', max: inFlight };
  if (perSecond < UNLIMITED.perSecond) return { kind: 'rate', perSecond };
  // On their way.
  return undefined;
}
