/**
 * How lanes ask whether their next task may talk to its target. The agent knows; it is told when the task has settled.
 * An attempt has one task at a time, so its number tells whose a permit is.
 */
import type { PermitWord } from './messages.ts';

export class Permits {
  readonly #say: (word: PermitWord) => void;
  readonly #waiting = new Map<number, () => void>();

  constructor(say: (word: PermitWord) => void) {
    this.#say = say;
  }

  /** Resolves when the attempt's next task may begin. Until `done` it has the permit, or waits for it. */
  ask(attemptId: number, target: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(attemptId, resolve);
    this.#say({ kind: 'ask', attemptId, target });
    return promise;
  }

  given(attemptId: number): void {
    this.#waiting.get(attemptId)?.();
    this.#waiting.delete(attemptId);
  }

  /** @param retryAfterMs that the target asked to be left alone; 0 where it did not */
  done(attemptId: number, retryAfterMs: number): void {
    this.#waiting.delete(attemptId);
    this.#say({ kind: 'done', attemptId, retryAfterMs });
  }
}
