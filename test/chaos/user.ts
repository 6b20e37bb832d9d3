/**
 * One user of the cluster: submits runs one after another, follows each to its end over whatever befalls the cluster,
 * cancels it where it is to be cancelled, and reads what it gave.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@regatta/kernel';
import type { PlannedRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import { type Job, planOf } from '../soak/job.ts';
import { Follower } from './follower.ts';
import { type Seen, takenBack, verdictOfRun } from './verdict.ts';
import type { World } from './world.ts';

const EXPLAIN_MS_MAX = 5_000;

/** What all users have found. */
export interface Findings {
  readonly acknowledged: string[];
  /** Of those that have ended. */
  readonly seen: Seen[];
  readonly wrong: string[];
  readonly allowed: string[];
  /** Submissions that nobody knows the outcome of. */
  uncertain: number;
}

export class User {
  readonly #world: World;
  readonly #findings: Findings;
  readonly #follower: Follower;
  readonly #say: (line: string) => void;

  constructor(world: World, findings: Findings, giveUp: AbortSignal, say: (line: string) => void) {
    this.#world = world;
    this.#findings = findings;
    this.#follower = new Follower(world.addresses, giveUp);
    this.#say = say;
  }

  /** Takes jobs until there are none. */
  async work(jobs: Job[]): Promise<void> {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      try {
        await this.#run(job);
      } catch (thrown) {
        this.#wrong(`${job.kind}: ${messageOf(thrown)}`);
      }
    }
    this.#follower.close();
  }

  async #run(job: Job): Promise<void> {
    const from = performance.now();
    const runId = await this.#submit(planOf(job));
    this.#findings.acknowledged.push(runId);
    try {
      const seen = await this.#follow(job, runId, from);
      this.#findings.seen.push(seen);
      const { wrong, allowed } = verdictOfRun(seen);
      for (const line of wrong) this.#wrong(line);
      this.#findings.allowed.push(...allowed);
    } catch (thrown) {
      const held = await heldBy(this.#world.addresses, runId);
      throw new Error(`${runId} (${job.options.model}): ${messageOf(thrown)}; it is held by ${held}`);
    }
  }

  async #follow(job: Job, runId: string, from: number): Promise<Seen> {
    const reading = job.reader === 'after' ? undefined : this.#follower.results(runId);
    const cancelling = job.ending.kind === 'cancel' ? this.#cancel(runId, job.ending.afterMs) : undefined;
    for (const promise of [reading, cancelling]) promise?.catch(() => {});
    const run = await this.#toTheEnd(runId);
    await cancelling;
    const { values, doubled } = await (reading ?? this.#follower.results(runId));
    const falls = this.#fallsSince(from);
    const [state, seconds] = [`${run.state} (${job.kind})`, ((performance.now() - from) / 1000).toFixed(1)];
    this.#say(`${runId} ${state} in ${seconds} s; ${falls} faults meanwhile`);
    return { job, run, values, doubled, falls };
  }

  /** Until it is known that one has arrived. One that nobody knows of may have, too. */
  async #submit(planned: PlannedRun): Promise<string> {
    for (;;) {
      const runId = await this.#follower.submit(planned);
      if (runId !== undefined) return runId;
      this.#findings.uncertain++;
    }
  }

  async #toTheEnd(runId: string): Promise<RunView> {
    let last: RunView | undefined;
    return await this.#follower.ended(runId, (run) => {
      const wrong = last === undefined ? undefined : takenBack(last, run);
      if (wrong !== undefined) this.#wrong(wrong);
      last = run;
    });
  }

  async #cancel(runId: string, afterMs: number): Promise<void> {
    await sleep(afterMs);
    await this.#follower.cancel(runId);
  }

  #fallsSince(from: number): number {
    return this.#world.falls.filter(({ to }) => to >= from).length;
  }

  #wrong(line: string): void {
    this.#findings.wrong.push(line);
    this.#say(`WRONG: ${line}`);
  }
}

/** When all waiting is over, in a moment of its own. */
async function heldBy(addresses: readonly string[], runId: string): Promise<string> {
  const follower = new Follower(addresses, AbortSignal.timeout(EXPLAIN_MS_MAX));
  try {
    return await follower.explain(runId);
  } catch (thrown) {
    return messageOf(thrown);
  } finally {
    follower.close();
  }
}
