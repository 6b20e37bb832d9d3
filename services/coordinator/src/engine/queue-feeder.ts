/**
 * Between the engine and the queues: reads inputs of chunks when there is room for them, and takes outcomes apart that
 * come more than once or in another order than they were told.
 */
import { RegattaError } from '@regatta/kernel';
import type { Effect, Scheduler } from '@regatta/scheduler';
import type { History } from './history.ts';
import { limits } from './limits.ts';

/** Where chunks of queued runs go. */
export interface QueuePort {
  /** Resolves when nodes can take the run's chunks. */
  open(runId: string): Promise<void>;
  /** @throws RegattaError QUEUE_ITEM_TOO_LARGE */
  publish(item: Omit<Publish, 'kind'> & { readonly inputs: Uint8Array }): void;
  withdraw(runId: string): Promise<void>;
  closeRun(runId: string): Promise<void>;
  /** Bytes of chunks that it has not got rid of. */
  readonly pendingBytes: number;
  /** Why nothing goes on. */
  readonly complaint: string | undefined;
}

type Publish = Extract<Effect, { kind: 'publish' }>;

const NO_INPUTS = new Uint8Array(0);

export interface QueueFeederOptions {
  readonly history: History;
  /** The chunk can never be published. */
  readonly onUnfit: (effect: Publish, error: RegattaError) => void;
  /** A queue cannot be opened or cleared. */
  readonly onFailed: (runId: string, error: Error) => void;
}

export class QueueFeeder {
  readonly #options: QueueFeederOptions;
  #port: QueuePort | undefined;
  /** Those for whose inputs there is no room yet. */
  #waiting: Publish[] = [];
  #look: NodeJS.Timeout | undefined;

  constructor(options: QueueFeederOptions) {
    this.#options = options;
  }

  /** Undefined where there are no queues. */
  get port(): QueuePort | undefined {
    return this.#port;
  }

  attach(port: QueuePort): void {
    this.#port = port;
  }

  /** @param then called when nodes can take the run's chunks */
  open(runId: string, then: () => void): void {
    this.#try(runId, this.#port?.open(runId).then(then));
  }

  publish(effect: Publish): void {
    this.#waiting.push(effect);
    this.#feed();
  }

  withdraw(runId: string): void {
    this.#waiting = this.#waiting.filter((effect) => effect.runId !== runId);
    this.#try(runId, this.#port?.withdraw(runId));
  }

  close(runId: string): void {
    this.#try(runId, this.#port?.closeRun(runId));
  }

  end(): void {
    clearTimeout(this.#look);
    this.#waiting = [];
  }

  #feed(): void {
    clearTimeout(this.#look);
    const port = this.#port;
    if (port === undefined) return;
    while (this.#waiting.length > 0 && port.pendingBytes < limits.queuedBytesMax) {
      const effect = this.#waiting.shift()!;
      try {
        const inputs = this.#options.history.get(effect.runId).inputs?.slice(effect.from, effect.to) ?? NO_INPUTS;
        port.publish({ ...effect, inputs });
      } catch (thrown) {
        if (!(thrown instanceof RegattaError)) throw thrown;
        this.#options.onUnfit(effect, thrown);
      }
    }
    if (this.#waiting.length > 0) this.#look = setTimeout(() => this.#feed(), limits.queueLookMs).unref();
  }

  #try(runId: string, doing: Promise<void> | undefined): void {
    doing?.catch((thrown: Error) => this.#options.onFailed(runId, thrown));
  }
}

type Run = ReturnType<Scheduler['runs']['get']> & object;

/** What is in the queue of a run, or with those who have taken it from there. */
export const publishedIn = ({ id: runId, queue }: Run): Publish[] =>
  [...(queue?.holder.attempts.values() ?? [])].map(({ id: attemptId, from, to, attempt, alone }) => {
    const chunk = { runId, attemptId, from, to, attempt, alone };
    return { kind: 'publish', ...chunk };
  });
