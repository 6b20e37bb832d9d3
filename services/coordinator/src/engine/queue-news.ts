/**
 * News of chunks that went into queues, from whoever took them: several nodes may tell of one chunk, the same may come
 * twice, and one piece may overtake another. What goes on from here is each task once, in order.
 */
import type { Observer } from '../observe/observer.ts';
import { type Outcome, reportOf, withoutTold } from './bookkeeping.ts';
import type { Insides } from './revival.ts';
import type { Steps } from './steps.ts';

export interface QueuedNews {
  readonly runId: string;
  readonly nodeId: string;
  readonly outcome: Outcome;
  /** To be called once what it says is safe. */
  ack(): void;
}

export class QueueNews {
  readonly #insides: Insides;
  readonly #steps: Steps;
  /** By attempt, what came before other news that it follows on. */
  readonly #early = new Map<number, QueuedNews[]>();

  readonly #observer: Observer | undefined;

  constructor(insides: Insides, steps: Steps, observer: Observer | undefined) {
    this.#insides = insides;
    this.#steps = steps;
    this.#observer = observer;
  }

  take(news: QueuedNews): void {
    const { runId, nodeId, ack } = news;
    const { attemptId } = news.outcome;
    const attempt = this.#attemptsOf(runId)?.get(attemptId);
    if (attempt !== undefined && news.outcome.from > attempt.reported) {
      this.#early.set(attemptId, [...(this.#early.get(attemptId) ?? []), news]);
      return;
    }
    const outcome = withoutTold(news.outcome, attempt?.reported ?? 0);
    if (outcome !== news.outcome) this.#observer?.duplicate(runId);
    // Somebody else has told all of it.
    if (attempt !== undefined && outcome.from === outcome.to && outcome.end.kind === 'open') return ack();
    this.#steps.post({ ...reportOf(outcome, nodeId), incarnation: 0, runId }, { outcome, nodeId, onSafe: ack });
    const early = this.#early.get(attemptId);
    this.#early.delete(attemptId);
    for (const other of early ?? []) this.take(other);
  }

  /** What was in the queues of these runs is gone: it is queued again, as new attempts. */
  requeue(runIds: readonly string[]): void {
    for (const runId of runIds) {
      for (const { id: attemptId, reported } of [...(this.#attemptsOf(runId)?.values() ?? [])]) {
        this.#steps.letGo({ attemptId, from: reported, runId });
      }
    }
    this.forgetEnded();
  }

  /** Attempts that ended otherwise: what was told of them too early is told too late by now. */
  forgetEnded(): void {
    const late: QueuedNews[] = [];
    for (const [attemptId, early] of this.#early) {
      if (this.#attemptsOf(early[0]!.runId)?.has(attemptId) === true) continue;
      this.#early.delete(attemptId);
      late.push(...early);
    }
    if (late.length === 0) return;
    const acknowledge = (): void => {
      for (const { ack } of late) ack();
    };
    // Not before all know of their end: for a successor that does not, they are news. Lost, it gets them.
    this.#steps.recorder.settled().then(acknowledge, () => {});
  }

  #attemptsOf(runId: string) {
    return this.#insides.scheduler.runs.get(runId)?.queue?.holder.attempts;
  }
}
