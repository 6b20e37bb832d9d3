/**
 * One user of the cluster, with connections of its own: takes runs from the mix one after another, follows and reads
 * each as it is told to, and judges how it ended.
 *
 * - U1: every wait has an end. A run that does not end is a reason to fail, with what holds it; then it is cancelled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { submit } from '../../services/coordinator/src/cli/follow.ts';
import { valuesOf } from '../../services/coordinator/src/cli/results.ts';
import type { PlannedRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { within } from '../bench/waiting.ts';
import type { Chance } from '../integration/hostile.ts';
import { type Job, planOf } from './job.ts';
import type { Journal } from './journal.ts';
import type { Mix } from './mix.ts';
import { shortRuns } from './short-runs.ts';
import type { Site } from './site.ts';
import type { Tally } from './tally.ts';
import { verdictOf } from './verdict.ts';

const RUN_MS_MAX = 60_000;
/** One in so many is preceded by a row of short runs; of those with inputs, by an upload that breaks off. */
const SHORT_RUNS_EVERY = 12;
const UPLOAD_BROKEN_EVERY = 3;
const SHORT_RUNS = 60;
const SLOW_READ_MS = 50;
/** A slow reader is slow for so long; then it reads the rest. */
const SLOW_READS_MS_MAX = 3_000;

interface Read {
  readonly values: Map<number, unknown>;
  readonly doubled: number[];
}

export class User {
  readonly #site: Site;
  readonly #tally: Tally;
  readonly #journal: Journal;
  readonly #mix: Mix;
  readonly #client: Client;

  constructor(site: Site, tally: Tally, journal: Journal, mix: Mix) {
    this.#site = site;
    this.#tally = tally;
    this.#journal = journal;
    this.#mix = mix;
    this.#client = new Client(site.cluster.address);
  }

  /** Until told to stop; the run that goes on then is ended as any other. */
  async work(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const { job, chance } = await this.#mix.next();
      if (chance.below(SHORT_RUNS_EVERY) === 0) await shortRuns(this.#client, SHORT_RUNS, this.#tally, stop);
      try {
        if (job.workload === 'echo' && chance.below(UPLOAD_BROKEN_EVERY) === 0) await this.#breakUpload(planOf(job));
        await this.#run(job, chance);
      } catch (thrown) {
        this.#tally.wrong(`${job.kind}, ${job.options.model}: ${(thrown as Error).message}`);
        // Where nothing answers, asking without a pause would only fill the report.
        await sleep(1_000);
      }
    }
    this.#client.close();
  }

  async #run(job: Job, chance: Chance): Promise<void> {
    const planned = planOf(job);
    const runId = await submit(this.#client, planned);
    try {
      await within(RUN_MS_MAX, `the end of ${runId}`, this.#follow(job, chance, planned, runId));
    } catch (thrown) {
      const { reasons } = await this.#client.explain(runId);
      await this.#client.cancel(runId, 'the soak gave it up');
      const held = reasons.map(({ code, text }) => `${code}: ${text}`).join('; ');
      throw new Error(`${(thrown as Error).message}, which is held by ${held}`);
    }
  }

  async #follow(job: Job, chance: Chance, planned: PlannedRun, runId: string): Promise<void> {
    const from = performance.now();
    const reading = job.reader === 'after' ? undefined : this.#read(runId, job.reader === 'slowly');
    reading?.catch(() => {});
    const cancelling = job.ending.kind === 'cancel' ? this.#cancel(runId, job.ending.afterMs) : undefined;
    cancelling?.catch(() => {});
    const run = await this.#watch(runId, job.watcher, chance);
    const to = performance.now();
    this.#tally.ended(job.kind, run);
    const { values, doubled } = await (reading ?? this.#read(runId, false));
    const endingMs = endingMsOf(run, await cancelling);
    const agentFaults = this.#journal.during(from, to, ['kill-agent', 'stop-agent']);
    if (endingMs !== undefined && agentFaults === 0) this.#tally.cancelMs.push(endingMs);
    const { wrong, allowed } = verdictOf(job, run, {
      values,
      doubled,
      combined: combinedOf(planned, values),
      ...(endingMs !== undefined && { endingMs }),
      hostKills: this.#journal.during(from, to, ['kill-host']),
      agentFaults,
    });
    for (const reason of wrong) this.#tally.wrong(reason);
    this.#tally.allowed.push(...allowed);
  }

  async #watch(runId: string, watcher: Job['watcher'], chance: Chance): Promise<RunView> {
    if (watcher === 'stays') return this.#toTheEnd(this.#client, runId);
    const other = new Client(this.#site.cluster.address);
    try {
      if (watcher === 'goes') {
        let left = 1 + chance.below(3);
        for await (const _ of this.#client.watch(runId)) if (--left === 0) break;
        return await this.#toTheEnd(other, runId);
      }
      const [run] = await Promise.all([this.#toTheEnd(other, runId), this.#watchAndDie(runId, chance)]);
      return run;
    } finally {
      other.close();
    }
  }

  async #toTheEnd(client: Client, runId: string): Promise<RunView> {
    let last: RunView | undefined;
    for await (const run of client.watch(runId)) last = run;
    return last!;
  }

  /** The CLI, killed in mid-watch: its connection breaks off without a word. */
  async #watchAndDie(runId: string, chance: Chance): Promise<void> {
    const { child, ended } = this.#site.cluster.start(['watch', runId]);
    const over = this.#journal.begin('kill-client');
    await sleep(200 + chance.below(1_000));
    child.kill('SIGKILL');
    await ended;
    over();
  }

  async #read(runId: string, slowly: boolean): Promise<Read> {
    const values = new Map<number, unknown>();
    const doubled: number[] = [];
    let slowMs = slowly ? SLOW_READS_MS_MAX : 0;
    for await (const part of this.#client.results(runId)) {
      for (const { task, value } of valuesOf([part])) {
        if (values.has(task)) doubled.push(task);
        values.set(task, value);
      }
      if (slowMs > 0) await sleep(SLOW_READ_MS);
      slowMs -= SLOW_READ_MS;
    }
    return { values, doubled };
  }

  /** @returns when (of the clock), or undefined where the run had ended before */
  async #cancel(runId: string, afterMs: number): Promise<number | undefined> {
    await sleep(afterMs);
    const at = Date.now();
    return (await this.#client.cancel(runId, 'the soak cancels it')) ? at : undefined;
  }

  /** Sends a part of the inputs, then goes: nothing of them may be kept. */
  async #breakUpload({ workload, params, spec }: PlannedRun): Promise<void> {
    const gone = new Error('the soak breaks off');
    function* some(): Iterable<unknown> {
      yield workload.inputs!(params)[Symbol.iterator]().next().value;
      throw gone;
    }
    await this.#client.submitWithInputs(spec, some).then(
      () => this.#tally.wrong('an upload that was broken off became a run'),
      (thrown) => {
        if (thrown !== gone) throw thrown;
      },
    );
    this.#tally.uploadsBroken++;
  }
}

/** By the coordinator's clock, which is this machine's: whenever its watcher heard of it. */
function endingMsOf(
  { spec, state, submittedAtMs, wallMs }: RunView,
  cancelledAt: number | undefined,
): number | undefined {
  if (cancelledAt !== undefined) return submittedAtMs + wallMs - cancelledAt;
  return state === 'cancelled' && spec.deadlineMs > 0 ? wallMs - spec.deadlineMs : undefined;
}

/** Of workloads with inputs: it is they that know whether these came back intact. */
function combinedOf({ workload, params }: PlannedRun, values: ReadonlyMap<number, unknown>): unknown {
  if (workload.inputs === undefined) return undefined;
  return workload.combine([...values].map(([task, value]) => ({ task, value })).values(), params);
}
