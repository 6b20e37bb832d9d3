/**
 * The one place where the scheduler steps. Events are taken one at a time, in the order they came; what is asked for is
 * ordered at once, what has come to pass is written in the books once the step is safe with the recorder.
 */
import type { Effect, Event, RunCounts } from '@regatta/scheduler';
import { slicePack } from '@regatta/workloads';
import type { Observer } from '../observe/observer.ts';
import { type Outcome, type Said, saidOf } from './bookkeeping.ts';
import { ENOUGH } from './books.ts';
import type { Introduction } from './fleet.ts';
import type { Orders } from './orders.ts';
import type { QueueFeeder } from './queue-feeder.ts';
import { type Entry, type Recorder, unrecorded } from './record.ts';
import { type Insides, pullsOn } from './revival.ts';
import { StepClock } from './step-clock.ts';

/** What an event comes with that the scheduler has no use for. */
export interface Occasion {
  /** The report that it is about. */
  readonly outcome?: Outcome;
  readonly nodeId?: string;
  readonly submission?: NonNullable<Entry['submission']>;
  readonly introduction?: Introduction;
  /** Called when the step is safe. */
  readonly onSafe?: () => void;
}

export interface StepsOptions {
  readonly insides: Insides;
  readonly orders: Orders;
  readonly feeder: QueueFeeder;
  /** Called when a state that the design rules out was met. */
  readonly onBroken: (thrown: unknown) => void;
  readonly observer: Observer | undefined;
}

export class Steps {
  readonly clock = new StepClock();
  recorder: Recorder = unrecorded;
  readonly #options: StepsOptions;
  readonly #over = new AbortController();
  readonly #inbox: [Event, Occasion][] = [];
  #stepping = false;
  #wake: NodeJS.Timeout | undefined;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /** Fires when no more events are taken. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  end(): void {
    clearTimeout(this.#wake);
    this.#over.abort();
  }

  post(event: Event, occasion: Occasion = {}): void {
    if (this.#over.signal.aborted) return;
    this.#inbox.push([event, occasion]);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(...next);
    } catch (thrown) {
      // A bug: the books can no longer be trusted, and a wrong answer is worse than a stopped coordinator.
      this.#options.onBroken(thrown);
      throw thrown;
    } finally {
      this.#stepping = false;
    }
  }

  wakeAt(at: number): void {
    clearTimeout(this.#wake);
    const waitMs = Math.max(0, Math.ceil(at - this.#options.insides.clock.now()));
    this.#wake = setTimeout(() => this.post({ kind: 'tick' }), waitMs);
    // A deadline days away must not keep a process that was told to end.
    this.#wake.unref();
  }

  /** The attempt ends with nothing done, and its tasks are handed out again. @param runId where it is in a queue */
  letGo(attempt: { readonly attemptId: number; readonly from: number; readonly runId?: string }, node = NOBODY): void {
    const { attemptId, from, runId } = attempt;
    const nothing = { from, to: from, failed: [], busyMs: 0, bytes: 0, end: { kind: 'stopped' } } as const;
    this.post({ kind: 'attemptReported', ...node, attemptId, ...(runId !== undefined && { runId }), ...nothing });
  }

  #step(event: Event, { outcome, nodeId, submission, introduction, onSafe }: Occasion): void {
    const { insides, feeder, observer } = this.#options;
    const at = insides.clock.now();
    const startedAt = performance.now();
    const effects = insides.scheduler.step(event, at);
    const ms = performance.now() - startedAt;
    this.clock.add(ms);
    const said = outcome === undefined ? undefined : this.#saidOf(outcome, nodeId!, effects);
    const results = outcome === undefined ? [] : committedOf(outcome, effects);
    const facts = { ...(said && { said }), ...(submission && { submission }), ...(introduction && { introduction }) };
    const entry: Entry = { at, event, effects, results, ...facts };
    observer?.stepped(entry, ms);
    const timing = outcome?.timing;
    const counts = this.#countsAfter(effects);
    this.recorder.record(entry, () => {
      for (const [runId, safe] of counts) insides.history.get(runId).safeCounts = safe;
      insides.books.write(entry);
      observer?.isSafe(entry, timing);
      // Not before: a queue that was cleared for a stop that nobody knows of would never be filled again.
      for (const effect of effects) if (effect.kind === 'withdraw') feeder.withdraw(effect.runId);
      onSafe?.();
    });
    for (const effect of effects) this.#heed(effect);
  }

  #saidOf(outcome: Outcome, nodeId: string, effects: readonly Effect[]): Said {
    const over = outcome.end.kind !== 'open' || effects.some((effect) => effect.kind === 'ignored');
    return saidOf(outcome, nodeId, over ? this.#options.orders.takeAwayMs(nodeId, outcome.attemptId) : undefined);
  }

  /** Of runs of which tasks have ended. */
  #countsAfter(effects: readonly Effect[]): Map<string, RunCounts> {
    const { scheduler } = this.#options.insides;
    const counts = new Map<string, RunCounts>();
    for (const effect of effects) {
      if (effect.kind === 'runEnded') counts.set(effect.runId, effect.counts);
      else if ((effect.kind === 'commit' || effect.kind === 'giveUp') && !counts.has(effect.runId)) {
        const run = scheduler.runs.get(effect.runId);
        if (run !== undefined) counts.set(effect.runId, run.counts());
      }
    }
    return counts;
  }

  /** What is done about an effect at once; the books wait until it is safe. */
  #heed(effect: Effect): void {
    const { insides, orders } = this.#options;
    orders.give(effect);
    switch (effect.kind) {
      case 'commit':
      case 'giveUp':
        return this.#stopIfEnough(effect.runId);
      case 'withdraw':
        // Whoever works on one of them has been told to stop, and what it still says will be late news.
        for (const attemptId of effect.attemptIds) {
          const attempt = insides.scheduler.runs.get(effect.runId)?.queue?.holder.attempts.get(attemptId);
          if (attempt !== undefined) this.letGo({ attemptId, from: attempt.reported, runId: effect.runId });
        }
        return;
      case 'nodeDrained': {
        const { nodeId, incarnation } = effect;
        insides.fleet.emptied(nodeId, incarnation, pullsOn(insides.scheduler, nodeId));
        return;
      }
      default:
        return;
    }
  }

  #stopIfEnough(runId: string): void {
    const { history, scheduler } = this.#options.insides;
    const { until } = history.get(runId).request;
    const run = scheduler.runs.get(runId);
    if (until === 'all' || run?.active !== true) return;
    const ended = until === 'any' ? run.succeeded : run.succeeded + run.failed;
    if (ended > 0) this.post({ kind: 'runStopped', runId, reason: ENOUGH[until] });
  }
}

/** Of attempts in a queue it does not matter who says what became of them. */
const NOBODY = { nodeId: '', incarnation: 0 };

/** The results of what the step commits. */
function committedOf({ from: first, results }: Outcome, effects: readonly Effect[]): Entry['results'][number][] {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'commit') return [];
    const { runId, from, to } = effect;
    return [{ runId, from, to, results: slicePack(results, from - first, to - first) }];
  });
}
