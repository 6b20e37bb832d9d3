/** Drives the book of targets: hears nodes, tells them what it decides, with one timer. Knows no gRPC. */
import { counted } from '@regatta/kernel';
import { type NodeOrders, TargetBook, type TargetNews } from './book.ts';
import { limits } from './limits.ts';
import { type TargetLimits, UNLIMITED } from './target.ts';
import { waitText } from './wait-text.ts';

/** A connection of a node, as far as permits go. */
export interface PermitLink {
  send(permits: NodeOrders): void;
}

export interface NodeDemand {
  /** The newest orders of this connection that it takes into account. */
  readonly heard: number;
  readonly targets: readonly TargetNews[];
}

/** What a run asks for; zeros for nothing. */
export interface PoliteRequest {
  readonly maxInFlightPerTarget?: number;
  readonly maxRatePerTarget?: number;
}

/** Whether its tasks talk to their targets by permit only. */
export const isPolite = ({ maxInFlightPerTarget = 0, maxRatePerTarget = 0 }: PoliteRequest): boolean =>
  maxInFlightPerTarget > 0 || maxRatePerTarget > 0;

export class Politeness {
  readonly #book = new TargetBook();
  readonly #links = new Map<string, PermitLink>();
  readonly #requestOf: (runId: string) => PoliteRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param requestOf what a run that goes on asks for; undefined where there is none of that name */
  constructor(requestOf: (runId: string) => PoliteRequest | undefined) {
    this.#requestOf = requestOf;
  }

  /**
   * A node says how it stands with its targets; on a connection that is new here, with all of them.
   * @throws Error where there are more of them than can be
   */
  told(node: string, link: PermitLink, { heard, targets }: NodeDemand): void {
    const now = performance.now();
    if (this.#links.get(node) !== link) {
      this.#links.set(node, link);
      this.#book.joined(node);
    }
    for (const news of targets) this.#book.told(node, heard, news, this.#limitsOf(news.runId), now);
    this.#lookAt(now + limits.gatherMs);
  }

  /** The connection is over. One that the node has made since is another's. */
  lost(node: string, link: PermitLink): void {
    if (this.#links.get(node) !== link) return;
    this.#links.delete(node);
    const now = performance.now();
    this.#book.lost(node, now);
    this.#lookAt(now);
  }

  /** For people: what tasks of the run wait for, the most first. */
  explain(runId: string): string[] {
    const waits = this.#book.waits(runId, performance.now()).sort((a, b) => b.tasks - a.tasks);
    const more = waits.slice(limits.targetsExplainedMax);
    const few = waits.slice(0, limits.targetsExplainedMax).map(waitText);
    if (more.length === 0) return few;
    const tasks = more.reduce((sum, wait) => sum + wait.tasks, 0);
    return [...few, `${counted(tasks, 'task waits', 'tasks wait')} for ${counted(more.length, 'more target')}`];
  }

  #limitsOf(runId: string): TargetLimits | undefined {
    const request = this.#requestOf(runId);
    if (request === undefined) return undefined;
    const { maxInFlightPerTarget, maxRatePerTarget } = request;
    return { inFlight: maxInFlightPerTarget || UNLIMITED.inFlight, perSecond: maxRatePerTarget || UNLIMITED.perSecond };
  }

  #lookAt(at: number): void {
    if (at >= this.#timerAt) return;
    this.#timerAt = at;
    clearTimeout(this.#timer);
    // A target that is paused must not keep a coordinator that was told to end.
    this.#timer = setTimeout(() => this.#decide(), Math.max(0, at - performance.now())).unref();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #decide(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const { orders, wakeAt } = this.#book.decide(performance.now());
    for (const order of orders) this.#links.get(order.node)?.send(order);
    if (wakeAt < Number.POSITIVE_INFINITY) this.#lookAt(wakeAt);
  }
}
