/**
 * A soak: short runs in a row, then mixed work with faults, then a rest; and what leaked, went wrong or stood still.
 *
 * 1. Thousands of short runs, one after another, undisturbed: what a run leaves behind shows here most clearly, as
 *    growth of the coordinator, of each agent and of each host process.
 * 2. What the idle cluster holds is written down.
 * 3. The mix, by several users at once, with faults.
 * 4. As many short runs as the coordinator remembers runs: what it keeps of the mix, and is meant to, is forgotten.
 * 5. The idle cluster is to hold no more than before. Then it is ended, and nothing of it is to be left.
 *
 * - W1: a soak ends, whatever happens: runs and faults have bounds of their own, and where no run has ended for
 *   STANDSTILL_MS all is stopped.
 * - W2: the mix goes on until each kind of fault has struck, on a slow machine for up to three times as long as asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { limits } from '../../services/coordinator/src/engine/limits.ts';
import { type Pace, strike } from './faults.ts';
import { Journal } from './journal.ts';
import { type MemoryRow, memoryRows, type Stretch } from './leaks.ts';
import { type Holding, holdings, hostsIdleMax, nothingIsLeft } from './leftovers.ts';
import { Mix } from './mix.ts';
import { cancelsOf, progressLine, type Report } from './report.ts';
import { Samples } from './samples.ts';
import { shortRuns } from './short-runs.ts';
import { Site } from './site.ts';
import { Tally } from './tally.ts';
import { User } from './user.ts';

const STANDSTILL_MS = 30_000;
const PROGRESS_MS = 10_000;
const CANCEL_MEDIAN_MS_MAX = 2_000;
const QUIET_MS_MAX = 20_000;
const CALM_MS = 1_000;
const SHORT_RUNS = 'short runs';
const MIX_PROLONGED = 3;

export interface Options {
  readonly seed: number;
  /** Of the mix. */
  readonly mixMs: number;
  readonly shortRuns: number;
  readonly users: number;
  readonly pace: Pace;
  /** Of a process, before its memory is looked at; in s. */
  readonly warmUpS: number;
  /** For growth of resident memory, while runs are short and while they are mixed. */
  readonly shortAllowances: Stretch['allowances'];
  readonly mixAllowances: Stretch['allowances'];
  /** Whether the rest is long enough for pools to have shrunk to what they keep ready. */
  readonly longRest: boolean;
  /** A line to replay it. */
  readonly replay: string;
  readonly say: (line: string) => void;
}

/** @throws where no cluster can be started */
export async function soak(options: Options): Promise<Report> {
  const tally = new Tally();
  const site = await Site.start(tally);
  return new Soak(site, tally, options).run();
}

class Soak {
  readonly #site: Site;
  readonly #tally: Tally;
  readonly #options: Options;
  readonly #journal = new Journal();
  readonly #samples: Samples;
  readonly #startedAt = performance.now();
  readonly #memory: MemoryRow[] = [];
  /** Fires where it is no use to go on. */
  readonly #hopeless = new AbortController();

  constructor(site: Site, tally: Tally, options: Options) {
    this.#site = site;
    this.#tally = tally;
    this.#options = options;
    this.#samples = new Samples(site);
  }

  async run(): Promise<Report> {
    const { say, shortRuns: count } = this.#options;
    const progress = setInterval(() => say(this.#progress()), PROGRESS_MS);
    let [perS, before, after]: [number, Holding[], Holding[]] = [0, [], []];
    try {
      say(`soak: ${this.#options.replay}`);
      perS = await this.#shortRuns(SHORT_RUNS, count);
      await this.#quiet();
      before = await holdings(this.#site);
      await this.#mix();
      await this.#shortRuns('short runs again', Math.min(count, limits.endedRunsMax + 50));
      await this.#quiet();
      after = await this.#rest(before);
    } catch (thrown) {
      this.#tally.wrong(`it could not go on: ${(thrown as Error).message}`);
    } finally {
      clearInterval(progress);
      this.#samples.end();
      await this.#site.end();
    }
    return this.#report(perS, before, after);
  }

  async #shortRuns(name: string, count: number): Promise<number> {
    const perS = await this.#stretch(name, () =>
      shortRuns(this.#site.client, count, this.#tally, this.#hopeless.signal),
    );
    this.#options.say(`soak: ${name}: ${count}, ${Math.round(perS)} a second`);
    return perS;
  }

  async #mix(): Promise<void> {
    const { seed, mixMs, users, pace } = this.#options;
    const over = new AbortController();
    const stop = AbortSignal.any([over.signal, this.#hopeless.signal]);
    const from = performance.now();
    const timer = setInterval(() => {
      const ms = performance.now() - from;
      if ((ms >= mixMs && this.#journal.complete) || ms >= MIX_PROLONGED * mixMs) over.abort(); // W2
    }, CALM_MS / 10);
    try {
      await this.#stretch('mix', async () => {
        const runs = new Mix(seed);
        const all = Array.from({ length: users }, () => new User(this.#site, this.#tally, this.#journal, runs));
        await Promise.all([
          ...all.map((user) => user.work(stop)),
          strike(this.#site, this.#journal, this.#tally, { seed, pace, stop }),
        ]);
      });
    } finally {
      clearInterval(timer);
    }
  }

  /** Work of one kind: no standstill in it, and no leak. */
  async #stretch<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { warmUpS: warmUp, shortAllowances, mixAllowances } = this.#options;
    this.#tally.lastEndedAt = performance.now();
    const watch = setInterval(() => this.#checkProgress(), CALM_MS);
    const from = performance.now() / 1000;
    try {
      return await work();
    } finally {
      clearInterval(watch);
      const mixed = name !== SHORT_RUNS;
      const allowances = mixed ? mixAllowances : shortAllowances;
      // Of hosts that have seen the mix some leak because they were told to (L2).
      const stretch = { name, from, to: performance.now() / 1000, warmUp, allowances, eachHost: !mixed };
      this.#memory.push(...memoryRows(this.#samples.series.values(), stretch));
    }
  }

  #checkProgress(): void {
    if (performance.now() - this.#tally.lastEndedAt < STANDSTILL_MS || this.#hopeless.signal.aborted) return;
    this.#tally.wrong(`a standstill: no run has ended for ${STANDSTILL_MS / 1000} s`);
    this.#hopeless.abort();
  }

  /** Nothing is to go on any more. */
  async #quiet(): Promise<void> {
    const from = performance.now();
    for (;;) {
      const { runsActive } = await this.#site.client.status();
      if (runsActive === 0) break;
      if (performance.now() - from > QUIET_MS_MAX) {
        this.#tally.wrong(`${runsActive} runs go on ${QUIET_MS_MAX / 1000} s after the last was to end`);
        break;
      }
      await sleep(CALM_MS / 10);
    }
    await sleep(CALM_MS);
  }

  async #rest(before: readonly Holding[]): Promise<Holding[]> {
    const { longRest, say } = this.#options;
    if (longRest) say('soak: rest, until hosts that are not needed have ended');
    const [hostsMax, withinMs] = longRest ? [hostsIdleMax.later, 90_000] : [hostsIdleMax.atOnce, 5_000];
    return nothingIsLeft(this.#site, before, { hostsMax, withinMs, tally: this.#tally });
  }

  #progress(): string {
    return progressLine(this.#startedAt, this.#tally, this.#journal, this.#samples);
  }

  #report(perS: number, before: readonly Holding[], after: readonly Holding[]): Report {
    const tally = this.#tally;
    for (const row of this.#memory.filter(({ leaks }) => leaks)) {
      const grown = `grew by ${Math.round(row.growth)} MiB in ${Math.round(row.seconds)} s and goes on`;
      tally.wrong(`memory of ${row.name}, ${row.stretch}: ${grown}; at most ${Math.round(row.allowed)} are allowed`);
    }
    const cancels = cancelsOf(tally.cancelMs);
    if (cancels.medianMs > CANCEL_MEDIAN_MS_MAX) {
      tally.wrong(`half of all cancelled runs took more than ${CANCEL_MEDIAN_MS_MAX} ms to end`);
    }
    const { replay, seed, shortRuns: count } = this.#options;
    return {
      ok: !tally.failing,
      reasons: tally.reasons,
      replay,
      seed,
      seconds: (performance.now() - this.#startedAt) / 1000,
      kinds: Object.fromEntries(tally.kinds),
      faults: this.#journal.counts(),
      allowed: tally.allowed,
      uploadsBroken: tally.uploadsBroken,
      cancels,
      shortRuns: { count, perS },
      memory: this.#memory,
      peakMiB: this.#samples.peak,
      before,
      after,
    };
  }
}
