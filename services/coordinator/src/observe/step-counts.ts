/**
 * Counts what an engine's steps mean, from their effects and from what nodes report. For one engine; what an earlier life
 * of it has counted is not counted again.
 *
 * - O1: what is told to nobody before it is safe is not counted before, either.
 * - O2: conservation is counted apart from the scheduler, from the effects alone, and at once: so it can be compared with
 *   what the scheduler itself says is left.
 */
import type { Tally } from '@regatta/observe';
import type { Effect } from '@regatta/scheduler';
import type { Said, Timing } from '../engine/bookkeeping.ts';
import type { Entry } from '../engine/record.ts';
import type { Insides } from '../engine/revival.ts';
import { LOSS_CODES } from './label-values.ts';
import type { Metrics } from './metrics.ts';
import type { Observer } from './observer.ts';
import { labelsOf, type Work, type Works } from './work.ts';

export class StepCounts implements Observer {
  readonly #metrics: Metrics;
  readonly #works: Works;
  readonly #insides: Insides;
  readonly #step: { add(ms: number): void };
  readonly #joins: Tally;
  readonly #losses: Tally;
  readonly #leaves: Tally;
  /** Of runs that go on. */
  readonly #byRun = new Map<string, Work>();
  /** O2. */
  #submitted = 0;
  #ended = 0;

  constructor(metrics: Metrics, works: Works, insides: Insides) {
    this.#metrics = metrics;
    this.#works = works;
    this.#insides = insides;
    this.#step = metrics.step.of({});
    this.#joins = metrics.nodeJoins.of({});
    this.#losses = metrics.nodeLosses.of({});
    this.#leaves = metrics.nodeLeaves.of({});
  }

  begins(): void {
    for (const run of this.#insides.scheduler.runs.values()) {
      const { tasks, succeeded, failed } = run.counts();
      this.#submitted += tasks;
      this.#ended += succeeded + failed;
    }
  }

  /** Tasks that were submitted, have not ended and are with nobody: 0, or something is wrong. */
  unaccounted(): number {
    let left = this.#submitted - this.#ended;
    for (const run of this.#insides.scheduler.runs.values()) {
      const { pending, inFlight, cancelled } = run.counts();
      left -= pending + inFlight + cancelled;
    }
    return left;
  }

  stepped({ event, effects }: Entry, ms: number): void {
    this.#step.add(ms);
    if (event.kind === 'runSubmitted') this.#submitted += event.plan.tasks;
    for (const effect of effects) {
      if (effect.kind === 'commit') this.#ended += effect.to - effect.from;
      else if (effect.kind === 'giveUp' && effect.loss !== undefined) this.#ended += effect.to - effect.from;
      else if (effect.kind === 'runEnded') this.#ended += effect.counts.cancelled;
    }
  }

  isSafe({ event, effects, said }: Entry, timing: Timing | undefined): void {
    if (event.kind === 'runSubmitted') this.#submit(event.plan.runId, event.plan.tasks);
    else if (event.kind === 'nodeJoined') this.#joins.value++;
    else if (event.kind === 'nodeLost') (event.left === true ? this.#leaves : this.#losses).value++;
    if (said !== undefined && timing !== undefined && !effects.some(isIgnored)) this.#report(said, timing);
    for (const effect of effects) this.#count(effect, said);
  }

  duplicate(runId: string): void {
    this.#metrics.ignored.add({ ...this.#workOf(runId).labels, reason: 'duplicate' });
  }

  failedLate(runId: string): void {
    this.#metrics.lateFailures.add(this.#workOf(runId).labels);
  }

  #submit(runId: string, tasks: number): void {
    const work = this.#workOf(runId);
    work.submitted.value += tasks;
    work.runsSubmitted.value++;
  }

  #report({ runId, from, to, end, figures }: Said, { wallUs }: Timing): void {
    const work = this.#workOf(runId);
    const { slowest, taskWallMs, waitMs, cpuMs, bytes, serializeMs, stallMs, dispatchMs } = figures;
    if (slowest !== undefined) {
      work.taskDuration.addAll(wallUs, taskWallMs);
      work.taskDuration.exemplify(slowest.wallMs, runId);
    }
    work.cpu.value += cpuMs / 1000;
    work.resultBytes.value += bytes;
    // Told once of an attempt that had to wait at all.
    if (waitMs > 0) work.wait.add(waitMs);
    if (to > from) {
      work.serialization.add(serializeMs);
      work.stall.add(stallMs);
    }
    if (end.kind === 'open') return;
    work.dispatch.add(dispatchMs);
    work.chunks[end.kind].value++;
  }

  #count(effect: Effect, said: Said | undefined): void {
    switch (effect.kind) {
      case 'assign':
      case 'publish':
        this.#workOf(effect.runId).attempts.value++;
        return;
      case 'copy':
        this.#workOf(effect.runId).copies.value++;
        this.#workOf(effect.runId).attempts.value++;
        return;
      case 'cancel':
        if (effect.outrun === 'first') this.#workOf(effect.runId!).copiesWon.value++;
        return;
      case 'commit':
        this.#workOf(effect.runId).tasks.succeeded.value += effect.to - effect.from;
        return;
      case 'giveUp':
        return this.#giveUp(effect);
      case 'retry':
        return this.#metrics.retries.add(
          { ...this.#workOf(effect.runId).labels, reason: effect.because },
          effect.tasks,
        );
      case 'ignored':
        if (said === undefined) return;
        return this.#metrics.ignored.add({ ...this.#workOf(said.runId).labels, reason: effect.reason });
      case 'runEnded':
        return this.#end(effect.runId, effect.counts.cancelled);
      default:
        return;
    }
  }

  /** Without a loss these are among what the step commits. */
  #giveUp({ runId, from, to, loss }: Extract<Effect, { kind: 'giveUp' }>): void {
    const { tasks, labels } = this.#workOf(runId);
    tasks.failed.value += to - from;
    if (loss === undefined) tasks.succeeded.value -= to - from;
    else this.#metrics.poison.add({ ...labels, reason: LOSS_CODES.has(loss.code) ? loss.code : 'OTHER' }, to - from);
  }

  #end(runId: string, cancelled: number): void {
    const { labels, tasks } = this.#workOf(runId);
    tasks.cancelled.value += cancelled;
    this.#byRun.delete(runId);
    const run = this.#insides.history.find(runId);
    if (run === undefined) return;
    this.#metrics.runs.add({ ...labels, outcome: run.state });
    this.#metrics.runDuration.of(labels).add(run.wallMs);
  }

  /** A run that is forgotten, or never was, is of no model that we know. */
  #workOf(runId: string): Work {
    const known = this.#byRun.get(runId);
    if (known !== undefined) return known;
    const run = this.#insides.history.find(runId);
    const work = this.#works.of(labelsOf(run?.request ?? { model: '', transport: '' }));
    if (run?.ended === false) this.#byRun.set(runId, work);
    return work;
  }
}

const isIgnored = ({ kind }: Effect): boolean => kind === 'ignored';
