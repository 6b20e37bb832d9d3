/**
 * Writes down, run by run, what has come to pass. Takes each step once it is safe, so that what anybody is told stays
 * true; a coordinator that lives an earlier one's steps again writes the same books.
 */
import type { Effect } from '@regatta/scheduler';
import { account, type Said } from './bookkeeping.ts';
import type { Fleet } from './fleet.ts';
import type { History } from './history.ts';
import { limits } from './limits.ts';
import type { Entry } from './record.ts';
import type { RunRecord, RunRequest } from './run-record.ts';

type Of<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;

export interface BooksOptions {
  readonly history: History;
  readonly fleet: Fleet;
  /** A run has more results than may be kept. */
  readonly onTooMuch: (runId: string, reason: string) => void;
  /** A run is over, and nothing more will be written of it. */
  readonly onEnded: (effect: Of<'runEnded'>) => void;
}

/** Why a run is stopped that has what it waited for. */
export const ENOUGH: Readonly<Record<RunRequest['until'], string>> = {
  first: 'enough: its first task has ended',
  any: 'enough: one of its tasks has succeeded',
  all: '',
};

export class Books {
  readonly #options: BooksOptions;

  constructor(options: BooksOptions) {
    this.#options = options;
  }

  write({ at, effects, said, results }: Entry): void {
    if (said !== undefined) this.#account(said, effects);
    for (const { runId, from, to, results: pack } of results) this.#keep(runId, from, to, pack);
    for (const effect of effects) this.#write(effect, said, at);
  }

  #account(said: Said, effects: readonly Effect[]): void {
    const run = this.#options.history.find(said.runId);
    if (run === undefined) return;
    if (effects.some((effect) => effect.kind === 'ignored')) run.accounting.fenced++;
    else account(run, said);
  }

  #keep(runId: string, from: number, to: number, results: Uint8Array): void {
    const run = this.#options.history.get(runId);
    run.results.add({ from, to, results });
    if (run.results.bytes <= limits.resultBytesPerRunMax) return;
    const reason = `its results are more than ${limits.resultBytesPerRunMax} bytes, the most of one run`;
    this.#options.onTooMuch(runId, reason);
  }

  #write(effect: Effect, said: Said | undefined, at: number): void {
    switch (effect.kind) {
      case 'runStarted':
        return this.#started(effect, at);
      case 'assign':
        return this.#assigned(effect);
      case 'copy':
        this.#options.history.get(effect.runId).accounting.copies++;
        return this.#assigned(effect);
      case 'cancel':
        if (effect.outrun === 'first') this.#options.history.get(effect.runId!).accounting.copiesWon++;
        return;
      case 'pull':
        return this.#opened(effect, effect.shape);
      case 'runStopping':
        return this.#stopping(effect);
      case 'commit':
        return this.#options.history.get(effect.runId).changed();
      case 'giveUp':
        return this.#giveUp(effect, said);
      case 'retry': {
        const { accounting } = this.#options.history.get(effect.runId);
        if (effect.because === 'failed') accounting.taskRetries += effect.tasks;
        else if (effect.because === 'lost') accounting.lostAttempts++;
        return;
      }
      case 'runEnded':
        return this.#ended(effect, at);
      default:
        return;
    }
  }

  #started({ runId }: Of<'runStarted'>, at: number): void {
    const run = this.#options.history.get(runId);
    run.state = 'running';
    run.startedAt = at;
    run.changed();
  }

  #assigned(effect: Of<'assign'> | Of<'copy'>): void {
    if (effect.open !== undefined) this.#opened(effect, effect.open);
  }

  #opened({ nodeId, runId }: Of<'assign'> | Of<'copy'> | Of<'pull'>, shape: Of<'pull'>['shape']): void {
    const { nodes } = this.#options.history.get(runId).accounting;
    const throttledMs = this.#options.fleet.find(nodeId)?.pulse.throttledMs ?? 0;
    const idle = { tasks: 0, chunks: 0, hostRss: new Map<number, number>(), hostsLost: new Set<number>() };
    // A node that came back has counted its throttling anew.
    nodes.set(nodeId, { ...idle, ...nodes.get(nodeId), shape, throttledMsAtStart: throttledMs, throttledMs });
  }

  #stopping({ runId, reason }: Of<'runStopping'>): void {
    const run = this.#options.history.get(runId);
    run.state = 'stopping';
    run.reason = reason;
    run.changed();
  }

  #giveUp(effect: Of<'giveUp'>, said: Said | undefined): void {
    const run = this.#options.history.get(effect.runId);
    const { nodeId: node, attempt, loss } = effect;
    // A task may fail by itself in the very report that tells of its host's death: that death is not its cause.
    const lossFacts = loss !== undefined && said?.end.kind === 'lost' ? said.end.loss : undefined;
    if (loss !== undefined) run.accounting.lostAttempts++;
    const failures = new Map(loss === undefined ? said?.failures.map((failure) => [failure.task, failure]) : []);
    for (let task = effect.from; task < effect.to && run.failures.length < limits.failuresPerRunMax; task++) {
      const own = failures.get(task);
      run.noteFailure({
        task,
        attempt,
        node,
        code: own?.code ?? loss?.code ?? 'UNKNOWN',
        message: own?.message ?? loss?.message ?? '',
        stack: own?.stack ?? '',
        exit: lossFacts?.exit,
        signal: lossFacts?.signal ?? '',
        rssBytes: lossFacts?.rssBytes ?? 0,
        stderrTail: lossFacts?.stderrTail ?? '',
      });
    }
    run.changed();
  }

  #ended(effect: Of<'runEnded'>, at: number): void {
    const run: RunRecord = this.#options.history.get(effect.runId);
    run.end(endOf(run, effect), effect.reason, effect.counts, at);
    this.#options.history.ended(run);
    this.#options.onEnded(effect);
    run.changed();
  }
}

/** One that was stopped because it had what it waited for has not been cancelled. */
function endOf({ request }: RunRecord, { state, reason, counts }: Of<'runEnded'>): Of<'runEnded'>['state'] {
  if (state !== 'cancelled' || reason !== ENOUGH[request.until]) return state;
  return counts.succeeded > 0 ? 'succeeded' : 'failed';
}
