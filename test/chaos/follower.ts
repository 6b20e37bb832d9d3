/**
 * A client of a cluster whose coordinators come and go: the product's own, which looks for whoever leads, with more
 * patience than it has.
 *
 * - F1: a run is submitted again only where the try before it certainly did not arrive.
 * - F2: every wait ends when the signal fires, and says for what it was.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, RegattaError } from '@regatta/kernel';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { submit } from '../../services/coordinator/src/cli/follow.ts';
import type { PlannedRun } from '../../services/coordinator/src/cli/run-options.ts';
import { hasEnded, type ReplayView, type RunView } from '../../services/coordinator/src/cli/views.ts';
import { within } from '../bench/waiting.ts';
import { addTo, type Read } from './bare-calls.ts';

/** Longer than the client takes to find out that a coordinator stands still. */
const SILENT_MS_MAX = 20_000;
const RETRY_MS = 100;
/** As a coordinator says it of what is a bug of its own. */
const FAILED = /the coordinator failed at this/;
const MAY_HAVE_ARRIVED = /whether it took the run is not known/;

export class Follower {
  readonly #client: Client;
  readonly #giveUp: AbortSignal;

  constructor(addresses: readonly string[], giveUp: AbortSignal) {
    this.#client = new Client(addresses, { say: () => {} });
    this.#giveUp = giveUp;
  }

  /** @returns its id; nothing where nobody can say whether it arrived (F1) */
  submit(planned: PlannedRun): Promise<string | undefined> {
    return this.#patiently(`a coordinator that takes a run of ${planned.spec.workload}`, async () => {
      try {
        return await submit(this.#client, planned);
      } catch (thrown) {
        if (MAY_HAVE_ARRIVED.test(messageOf(thrown))) return undefined;
        throw thrown;
      }
    });
  }

  cancel(runId: string): Promise<boolean> {
    return this.#patiently(`a coordinator to cancel ${runId}`, () => this.#client.cancel(runId, 'chaos cancels it'));
  }

  runs(): Promise<RunView[]> {
    return this.#patiently('a coordinator that lists runs', () => this.#client.runs(0));
  }

  replay(runId: string): Promise<ReplayView> {
    return this.#patiently(`a coordinator that replays ${runId}`, () => this.#client.replay(runId));
  }

  explain(runId: string): Promise<string> {
    return this.#patiently(`a coordinator that explains ${runId}`, async () => {
      const { reasons } = await this.#client.explain(runId);
      return reasons.map(({ code, text }) => `${code}: ${text}`).join('; ');
    });
  }

  /** Watches it to its end. @param onView called with each thing that is said of it */
  ended(runId: string, onView: (run: RunView) => void): Promise<RunView> {
    return this.#patiently(`the end of ${runId}`, async () => {
      for await (const run of this.#unsilent(this.#client.watch(runId))) {
        onView(run);
        if (hasEnded(run)) return run;
      }
      throw new Error(`the watch of ${runId} ended before it did`);
    });
  }

  /** All that it gives until it has ended. */
  results(runId: string): Promise<Read> {
    return this.#patiently(`the results of ${runId}`, async () => {
      const read: Read = { values: new Map(), doubled: [] };
      for await (const part of this.#unsilent(this.#client.results(runId))) addTo(read, [part]);
      return read;
    });
  }

  close(): void {
    this.#client.close();
  }

  /** @throws whatever one that leads says; what was the matter last when the time is up (F2) */
  async #patiently<T>(what: string, question: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await question();
      } catch (thrown) {
        if (!isAway(thrown)) throw thrown;
        if (this.#giveUp.aborted) throw new Error(`waited in vain for ${what}: ${messageOf(thrown)}`);
      }
      await sleep(RETRY_MS);
    }
  }

  /** F2. */
  async *#unsilent<T>(stream: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = stream[Symbol.asyncIterator]();
    const over = Promise.withResolvers<never>();
    const onGiveUp = (): void => over.reject(away('there was no end of it'));
    this.#giveUp.addEventListener('abort', onGiveUp, { once: true });
    over.promise.catch(() => {});
    try {
      for (;;) {
        if (this.#giveUp.aborted) onGiveUp();
        const next = iterator.next();
        next.catch(() => {});
        const silent = within(SILENT_MS_MAX, 'news', next).catch((thrown) => {
          throw thrown instanceof RegattaError ? thrown : away(messageOf(thrown));
        });
        const { done, value } = await Promise.race([silent, over.promise]);
        if (done) return;
        yield value;
      }
    } finally {
      this.#giveUp.removeEventListener('abort', onGiveUp);
      // Not awaited: it would wait for the news that does not come.
      void iterator.return?.().catch(() => {});
    }
  }
}

const away = (why: string): RegattaError => new RegattaError('UNREACHABLE', why);
/** One that is there and fails is no matter of patience. */
const isAway = (thrown: unknown): boolean =>
  thrown instanceof RegattaError && thrown.code === 'UNREACHABLE' && !FAILED.test(thrown.message);
