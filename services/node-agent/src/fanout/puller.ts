/**
 * The agent's end of the queue: takes chunks of I/O runs from a work-queue stream while lanes are free, gives them to the
 * executor, and tells what became of them. Which runs to pull for, and when to stop, is the caller's to say.
 *
 * - F1: a chunk is acknowledged after its end is in the outcome stream, never before: if this process dies meanwhile,
 *   another node gets it.
 * - F2: a chunk that is held here is not begun a second time, however often it is delivered.
 * - F3: no more is held or asked for than the lanes and a few ahead, so that others who pull get theirs.
 * - F4: what was delivered too often, or cannot be read, is ended here with its cause, and not run.
 * - F5: what is let go of is told as stopped, and the coordinator queues it anew. Given back to NATS it would count as
 *   delivered once more, and nodes that leave in good order would make a chunk look as if it had killed them (F4).
 */
import type { Broker } from '@regatta/broker';
import { assert, messageOf } from '@regatta/kernel';
import { Intake, type Taken } from '@regatta/proto/queue-intake';
import { isQueueName, WORK_STREAM } from '@regatta/proto/queue-names';
import type { Logger } from 'pino';
import type { Assignment, Outcome } from '../hosts/work.ts';
import { assignmentIn } from './codec.ts';
import { limits } from './limits.ts';
import { OutcomeOutbox } from './outcome-outbox.ts';
import { deliveredTooOften, notBegun } from './unfinished.ts';

/** How much the newest chunk counts in a run's mean. */
const NEWEST_WEIGHT = 0.1;

export interface PullerOptions {
  readonly nodeId: string;
  /** Of the node's connection to the coordinator. */
  readonly incarnation: () => number;
  readonly executor: { assign(assignment: Assignment): void };
  readonly log: Logger;
}

/** A run that chunks are, or were, pulled for. */
interface PulledRun {
  readonly runId: string;
  lanes: number;
  /** Undefined once it is stopped. */
  intake: Intake | undefined;
  /** Answers to NATS for what is held, after the run is stopped too. */
  answers: Intake;
  /** Runs while its queue is missing and that was not said yet. */
  missing: NodeJS.Timeout | undefined;
  /** Mean time of a lane for a chunk; 0 while unknown. */
  chunkMs: number;
  /** Chunks that the executor has. */
  atWork: number;
  /** Attempts whose ends are stored, the newest last: an acknowledgement may get lost. */
  readonly ended: Set<number>;
}

interface Held {
  readonly run: PulledRun;
  /** Of the newest delivery. */
  handle: string;
  /** What its lane spent on it so far. */
  laneMs: number;
  /** Whether the executor has told its end, which is not stored yet. */
  ended: boolean;
}

export class Puller {
  readonly #broker: Broker;
  readonly #options: PullerOptions;
  readonly #outbox: OutcomeOutbox;
  readonly #runs = new Map<string, PulledRun>();
  readonly #held = new Map<number, Held>();
  readonly #working: NodeJS.Timeout;
  readonly #endListening: () => void;
  #poisoned = 0;
  #tooOften = 0;
  readonly #delivered = { first: 0, again: 0 };

  constructor(broker: Broker, options: PullerOptions) {
    const { nodeId, incarnation, log } = options;
    this.#broker = broker;
    this.#options = options;
    this.#outbox = new OutcomeOutbox(broker, {
      nodeId,
      incarnation,
      onStored: (outcomes) => this.#stored(outcomes),
      onRefused: (reason) => log.warn(`NATS does not take outcomes: ${reason}; trying again`),
    });
    this.#working = setInterval(() => this.#tellWorking(), limits.workingMs).unref();
    this.#endListening = broker.onState(({ kind }) => {
      if (kind === 'ready') this.#tellWorking();
    });
  }

  /** Of outcomes that NATS does not have yet. Beyond `waitingBytesMax` no chunk is taken; hosts are the caller's. */
  get waitingBytes(): number {
    return this.#outbox.waitingBytes;
  }

  /** Chunks that were taken and are not acknowledged. */
  get held(): number {
    return this.#held.size;
  }

  /** What NATS has delivered here, since this process began. */
  get deliveries() {
    return { ...this.#delivered, tooOften: this.#tooOften, unreadable: this.#poisoned };
  }

  /** Unreadable messages, since this process began. */
  get poisoned(): number {
    return this.#poisoned;
  }

  /** Takes chunks of a run that the executor knows, for so many lanes; called again, for another number of them. */
  pull(runId: string, lanes: number): void {
    assert(isQueueName(runId), `a run's name is part of a subject: ${runId}`);
    const known = this.#runs.get(runId);
    if (known?.intake !== undefined) {
      known.lanes = lanes;
      return known.intake.refill();
    }
    const intake = new Intake(this.#broker, {
      stream: WORK_STREAM,
      consumer: runId,
      room: () => this.#roomOf(run),
      atLeast: () => Math.ceil(aheadOf(run) / 2),
      onMessage: (taken) => this.#take(run, taken),
      onMissing: (reason) => this.#missing(run, reason),
    });
    const run: PulledRun = Object.assign(
      known ?? { runId, missing: undefined, chunkMs: 0, atWork: 0, ended: new Set<number>() },
      {
        lanes,
        intake,
        answers: intake,
      },
    );
    this.#runs.set(runId, run);
  }

  /** Takes no more of it; what is held goes on. */
  stop(runId: string): void {
    const run = this.#runs.get(runId);
    void run?.intake?.close();
    if (run !== undefined) run.intake = undefined;
  }

  /** Of any run. */
  stopAll(): void {
    for (const runId of this.#runs.keys()) this.stop(runId);
  }

  /** @returns whether the attempt was taken here, and the news are on their way */
  report(outcome: Outcome): boolean {
    const held = this.#held.get(outcome.attemptId);
    if (held === undefined || held.ended) return held !== undefined;
    const { run } = held;
    held.laneMs += outcome.timing.laneMs;
    if (outcome.end.kind !== 'open') run.atWork--;
    if (outcome.end.kind === 'completed') {
      run.chunkMs += (held.laneMs - run.chunkMs) * (run.chunkMs === 0 ? 1 : NEWEST_WEIGHT);
    }
    held.ended = outcome.end.kind !== 'open';
    this.#outbox.add(outcome);
    run.intake?.refill();
    return true;
  }

  /** What is held goes to other nodes after a while, unless it was handed back before. The connection stays open. */
  async close(): Promise<void> {
    clearInterval(this.#working);
    this.#endListening();
    this.#outbox.close();
    await Promise.all([...this.#runs.values()].map(({ intake }) => intake?.close()));
  }

  #roomOf(run: PulledRun): number {
    if (run.intake === undefined || this.waitingBytes > limits.waitingBytesMax) return 0;
    return run.lanes + aheadOf(run) - run.atWork;
  }

  #take(run: PulledRun, taken: Taken): void {
    const { handle, deliveries } = taken;
    this.#delivered[deliveries > 1 ? 'again' : 'first']++;
    clearTimeout(run.missing);
    run.missing = undefined;
    const assignment = this.#read(run, taken);
    if (assignment === undefined) return run.answers.putAway(handle);
    const { attemptId } = assignment;
    const known = this.#held.get(attemptId);
    if (known !== undefined) {
      known.handle = handle;
      return;
    }
    if (run.ended.has(attemptId)) return run.answers.ack(handle);
    const held: Held = { run, handle, laneMs: 0, ended: false };
    this.#held.set(attemptId, held);
    run.atWork++;
    // On its way as we stopped (F5).
    if (run.intake === undefined) return void this.report(notBegun(assignment));
    // Should it end as delivered too often, somebody will ask who had it.
    if (deliveries > 1) this.#outbox.tellTaking(assignment, deliveries);
    if (deliveries > limits.deliveriesMax) {
      this.#tooOften++;
      const { outcome, message } = deliveredTooOften(assignment, deliveries, this.#options.nodeId);
      this.#options.log.warn(`run ${run.runId}: ${message}`);
      this.report(outcome);
    } else {
      this.#options.executor.assign(assignment);
    }
  }

  /** A queue that is gone mostly means that its run is over, which the coordinator says a moment later. */
  #missing(run: PulledRun, reason: string): void {
    run.missing ??= setTimeout(() => {
      run.missing = undefined;
      if (run.intake === undefined) return;
      this.#options.log.warn(`run ${run.runId}: its chunks cannot be taken: ${reason}; trying again`);
    }, limits.missingMs).unref();
  }

  #read(run: PulledRun, { data, subject, sequence }: Taken): Assignment | undefined {
    try {
      return assignmentIn(data, run.runId);
    } catch (thrown) {
      this.#poisoned++;
      const message = `message ${sequence} on ${subject} (${data.byteLength} bytes)`;
      this.#options.log.warn(`${message} is no chunk of ours and was put away: ${messageOf(thrown)}`);
      return undefined;
    }
  }

  /** F1. */
  #stored(outcomes: readonly Outcome[]): void {
    for (const { attemptId, end } of outcomes) {
      const held = this.#held.get(attemptId);
      if (held === undefined || end.kind === 'open') continue;
      const { run } = held;
      this.#held.delete(attemptId);
      run.ended.add(attemptId);
      if (run.ended.size > limits.endedKept) run.ended.delete(run.ended.keys().next().value!);
      run.answers.ack(held.handle);
      run.intake?.refill();
      this.#forgetIfDone(run);
    }
  }

  #forgetIfDone(run: PulledRun): void {
    if (run.intake !== undefined || this.#runs.get(run.runId) !== run) return;
    for (const held of this.#held.values()) if (held.run === run) return;
    this.#runs.delete(run.runId);
  }

  #tellWorking(): void {
    for (const { run, handle } of this.#held.values()) run.answers.working(handle);
  }
}

/**
 * Chunks that are held beyond the lanes: as many as lanes may finish before a request is answered. Long ones are not
 * hoarded: another node may have nothing to do.
 */
function aheadOf({ lanes, chunkMs }: PulledRun): number {
  const part = chunkMs === 0 ? limits.aheadPartFirst : limits.aheadMs / chunkMs;
  return Math.min(Math.max(limits.aheadMin, Math.ceil(part * lanes)), Math.max(limits.aheadChunksMax, lanes));
}
