/**
 * Nodes of a model cluster that keep to the protocol of permits, with messages that take their time both ways. Checks at
 * every step what the book promises (T1, T2).
 */
import assert from 'node:assert/strict';
import { type NodeOrders, TargetBook, type TargetNews } from '../book.ts';
import { limits } from '../limits.ts';
import { type TargetLimits, UNLIMITED } from '../target.ts';

/** Tasks of one run on one node, for one target. */
interface Spot {
  readonly runId: string;
  readonly target: string;
  waiting: number;
  using: number;
  idle: number;
  owed: number;
  changed: boolean;
}

interface ToCoordinator {
  readonly link: number;
  readonly heard: number;
  readonly news: TargetNews[];
}

export class ModelNode {
  readonly name: string;
  readonly spots = new Map<string, Spot>();
  readonly out: ToCoordinator[] = [];
  readonly in: NodeOrders[] = [];
  /** Counts its connections; 0 while there is none. */
  link = 0;
  heard = 0;
  lostAt = Number.NEGATIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  spot(runId: string, target: string): Spot {
    const key = `${runId} ${target}`;
    const spot = this.spots.get(key) ?? { runId, target, waiting: 0, using: 0, idle: 0, owed: 0, changed: true };
    this.spots.set(key, spot);
    return spot;
  }

  want(runId: string, target: string): void {
    const spot = this.spot(runId, target);
    spot.waiting++;
    this.#serve(spot);
  }

  /** A task of it ends. */
  finish(spot: Spot): void {
    spot.using--;
    if (spot.owed > 0) spot.owed--;
    else spot.idle++;
    this.#serve(spot);
  }

  obey({ serial, orders }: NodeOrders): void {
    this.heard = serial;
    for (const { runId, target, grant, takeBack } of orders) {
      const spot = this.spot(runId, target);
      if (grant > 0 && takeBack > 0) {
        // Good for one task; where nobody waits any more it goes back.
        const used = Math.min(grant, spot.waiting);
        spot.waiting -= used;
        spot.using += used;
        spot.owed += used;
      } else {
        spot.idle += grant;
        const fromIdle = Math.min(spot.idle, takeBack);
        spot.idle -= fromIdle;
        spot.owed = Math.min(spot.using, spot.owed + takeBack - fromIdle);
      }
      this.#serve(spot);
    }
  }

  /** What it holds and nobody uses goes back. */
  tidy(): void {
    for (const spot of this.spots.values()) {
      spot.changed ||= spot.idle > 0;
      spot.idle = 0;
    }
  }

  disconnect(now: number): void {
    this.link = 0;
    this.lostAt = now;
    this.in.length = 0;
    this.out.length = 0;
    for (const spot of this.spots.values()) {
      spot.idle = 0;
      spot.owed = spot.using;
    }
  }

  connect(link: number): void {
    this.link = link;
    this.heard = 0;
    for (const spot of this.spots.values()) spot.changed = true;
    this.speak();
  }

  speak(pause?: { readonly target: string; readonly ms: number }): void {
    const changed = [...this.spots.values()].filter((spot) => spot.changed);
    const news = changed.map(({ runId, target, waiting, using, idle }) => {
      const pauseMs = pause?.target === target ? pause.ms : 0;
      return { runId, target, waiting, held: using + idle, pauseMs };
    });
    for (const spot of changed) spot.changed = false;
    this.out.push({ link: this.link, heard: this.heard, news });
  }

  #serve(spot: Spot): void {
    spot.changed = true;
    while (this.link > 0 && spot.idle > 0 && spot.waiting > 0) {
      spot.idle--;
      spot.waiting--;
      spot.using++;
    }
  }
}

export class ModelCluster {
  readonly book = new TargetBook();
  readonly nodes: ModelNode[];
  readonly runs: ReadonlyMap<string, TargetLimits>;
  now = 0;
  readonly #known = new Map<string, number>();
  readonly #slots = new Map<string, { at: number; spacingMs: number; runId: string }>();
  #links = 0;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(nodes: number, runs: readonly Partial<TargetLimits>[]) {
    this.nodes = Array.from({ length: nodes }, (_, i) => new ModelNode(`n${i}`));
    this.runs = new Map(runs.map((given, i) => [`r${i}`, { ...UNLIMITED, ...given }]));
    for (const node of this.nodes) node.connect(++this.#links);
  }

  /** The oldest message of the node arrives, if there is one. */
  hear(node: ModelNode): void {
    const message = node.out.shift();
    if (message === undefined) return;
    if (this.#known.get(node.name) !== message.link) {
      this.#known.set(node.name, message.link);
      this.book.joined(node.name);
    }
    for (const news of message.news)
      this.book.told(node.name, message.heard, news, this.runs.get(news.runId), this.now);
    this.decide();
  }

  deliver(node: ModelNode): void {
    const orders = node.in.shift();
    if (orders === undefined) return;
    node.obey(orders);
    node.speak();
  }

  lose(node: ModelNode): void {
    node.disconnect(this.now);
    this.#known.delete(node.name);
    this.book.lost(node.name, this.now);
    this.decide();
  }

  /** Its tasks have ended by now where it was gone for longer than their permits count. */
  connect(node: ModelNode): void {
    if (this.now >= node.lostAt + limits.lostPermitMs)
      for (const spot of node.spots.values()) spot.using = spot.owed = 0;
    node.connect(++this.#links);
    // What it holds it says with the first that it says.
    this.hear(node);
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, Math.max(this.now, this.#wakeAt));
      if (this.#wakeAt <= this.now) this.decide();
    }
  }

  decide(): void {
    const { orders, wakeAt } = this.book.decide(this.now);
    assert.ok(wakeAt > this.now, `it wants to be asked again at ${wakeAt}, at ${this.now}`);
    this.#wakeAt = wakeAt;
    this.#checkRate(orders);
    for (const order of orders) {
      this.#checkInFlight(order);
      this.nodes.find(({ name }) => name === order.node)!.in.push(order);
    }
  }

  /** All that is on its way arrives, tasks end, time passes, until nobody waits. @returns how many were never served */
  settle(): number {
    for (const node of this.nodes) if (node.link === 0) this.connect(node);
    for (let round = 0; round < 2_000 && this.#waiting() > 0; round++) {
      for (const node of this.nodes) {
        while (node.in.length > 0) this.deliver(node);
        for (const spot of node.spots.values()) while (spot.using > 0) node.finish(spot);
        node.speak();
        while (node.out.length > 0) this.hear(node);
      }
      this.pass(100);
    }
    return this.#waiting();
  }

  #waiting(): number {
    return this.nodes.reduce((sum, { spots }) => sum + [...spots.values()].reduce((n, s) => n + s.waiting, 0), 0);
  }

  /** T1, of the orders of one decision. */
  #checkInFlight({ orders }: NodeOrders): void {
    for (const { runId, target, grant } of orders) {
      if (grant === 0) continue;
      const { inFlight } = this.runs.get(runId)!;
      const { [target]: inUse = 0 } = this.inUse();
      assert.ok(this.book.permits(target) <= inFlight, `${this.book.permits(target)} permits for ${target}`);
      assert.ok(inUse <= inFlight, `${inUse} tasks talk to ${target}`);
    }
  }

  /** T2, likewise. */
  #checkRate(all: readonly NodeOrders[]): void {
    const slots = all.flatMap(({ orders }) =>
      orders.flatMap(({ runId, target, grant, takeBack, afterMs, everyMs }) => {
        const spacingMs = 1000 / this.runs.get(runId)!.perSecond;
        if (spacingMs > 0 && grant > 0) assert.equal(takeBack, grant, 'one that lasts, under a rate');
        return Array.from({ length: grant }, (_, i) => ({
          runId,
          target,
          at: this.now + afterMs + i * everyMs,
          spacingMs,
        }));
      }),
    );
    for (const { target, at, spacingMs, runId } of slots.sort((a, b) => a.at - b.at)) {
      const last = this.#slots.get(target) ?? { at: Number.NEGATIVE_INFINITY, spacingMs, runId };
      // What is remembered of runs that are gone is what they asked for.
      const leastMs = last.runId === runId ? spacingMs : Math.min(spacingMs, last.spacingMs);
      assert.ok(at - last.at > leastMs - 1e-3, `${at - last.at} ms after the one before`);
      assert.ok(at <= this.now + limits.aheadMs + 1e-3, 'given too long before its time');
      if (spacingMs > 0) assert.equal(this.#lasting(target), 0, 'permits are out that may be used again, at any rate');
      this.#slots.set(target, { at, spacingMs, runId });
    }
  }

  /** Permits of connected nodes that they use again and again. */
  #lasting(target: string): number {
    const spots = this.nodes.flatMap((node) => (node.link === 0 ? [] : [...node.spots.values()]));
    return spots.reduce((sum, spot) => sum + (spot.target === target ? spot.idle + spot.using - spot.owed : 0), 0);
  }

  /** By target, tasks that talk to it: of connected nodes, and of those that were lost a moment ago. */
  inUse(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const { link, lostAt, spots } of this.nodes) {
      if (link === 0 && this.now >= lostAt + limits.lostPermitMs) continue;
      for (const { target, using } of spots.values()) sums[target] = (sums[target] ?? 0) + using;
    }
    return sums;
  }
}
