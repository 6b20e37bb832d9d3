/** Runs as they are asked for: checked, named, written down and begun. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import { limits as schedulerLimits } from '@regatta/scheduler';
import { admit } from './admission.ts';
import { limits } from './limits.ts';
import type { QueueFeeder } from './queue-feeder.ts';
import { ResultStore } from './result-store.ts';
import type { Insides } from './revival.ts';
import type { RunInputs } from './run-inputs.ts';
import { RunRecord, type RunRequest } from './run-record.ts';
import type { Steps } from './steps.ts';

export interface SubmissionsOptions {
  readonly insides: Insides;
  readonly steps: Steps;
  readonly feeder: QueueFeeder;
  /** Why nothing of the run would go on just now. */
  readonly complaint: (transport: 'grpc' | 'nats') => string | undefined;
  /** A run's results cannot be stored: it is of no use to anybody. */
  readonly onUnkept: (runId: string, reason: string) => void;
}

export class Submissions {
  readonly #options: SubmissionsOptions;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
  }

  /** As `take`; resolves when the run cannot be lost any more. @throws RegattaError NATS_AWAY besides; then it is none */
  async takeSafely(asked: RunRequest, inputs?: RunInputs): Promise<string> {
    const { steps } = this.#options;
    this.#check(asked, inputs);
    await this.#untilTakeable(this.#transportOf(asked));
    const id = this.#newId();
    if (inputs !== undefined) await steps.recorder.keepInputs(id, inputs);
    this.take(asked, inputs, id);
    await steps.recorder.settled();
    return id;
  }

  /** @returns the run's id. @throws RegattaError BAD_RUN, BAD_INPUTS, TOO_MANY_RUNS, NO_NATS */
  take(asked: RunRequest, inputs?: RunInputs, id = this.#newId()): string {
    this.#check(asked, inputs);
    const { history, clock, shelf } = this.#options.insides;
    const request = { ...asked, transport: this.#transportOf(asked) };
    const onFailed = ({ message }: Error): void =>
      this.#options.onUnkept(id, `its results cannot be stored: ${message}`);
    const run = new RunRecord(id, request, clock.now(), new ResultStore(shelf, onFailed), inputs !== undefined);
    run.inputs = inputs;
    history.add(run);
    const { workload, tasks, shape, nodes, policy, chunk, retries, deadlineMs } = request;
    const wanted = { workload, tasks, shape, nodes, policy, chunk, retries, deadlineMs };
    const way =
      request.transport === 'nats' ? { queued: true } : { queued: false, speculate: request.speculate === true };
    const plan = { runId: id, ...wanted, inputCuts: inputs?.cuts ?? [], ...way };
    const submission = { request, hasInputs: run.hasInputs, submittedAt: run.submittedAt };
    this.#options.steps.post({ kind: 'runSubmitted', plan }, { submission });
    return id;
  }

  /** A short outage is waited for; in a longer one nobody could be told that the run is taken. */
  async #untilTakeable(transport: 'grpc' | 'nats'): Promise<void> {
    const { steps, complaint } = this.#options;
    const giveUpAt = performance.now() + limits.recordWaitMsMax;
    for (; steps.recorder.durable; await sleep(limits.recordLookMs)) {
      const why = complaint(transport);
      if (why === undefined) return;
      if (performance.now() < giveUpAt) continue;
      throw new RegattaError('NATS_AWAY', `the run was not taken, and can be once this is mended: ${why}`);
    }
  }

  #newId(): string {
    return `run-${Date.now().toString(36)}-${(this.#options.insides.counters.runSerial++).toString(36)}`;
  }

  #check(request: RunRequest, inputs: RunInputs | undefined): void {
    admit(request);
    if (this.#transportOf(request) === 'nats' && request.speculate === true) {
      const message =
        '--speculate is for chunks that are handed to nodes, not for those of a queue: add --transport grpc';
      throw new RegattaError('BAD_RUN', message);
    }
    if (inputs !== undefined && inputs.tasks !== request.tasks) {
      throw new RegattaError('BAD_INPUTS', `it has ${request.tasks} tasks and inputs for ${inputs.tasks}`);
    }
    if (this.#options.insides.scheduler.runs.size >= schedulerLimits.runsActiveMax) {
      const message = `${schedulerLimits.runsActiveMax} runs are waiting or running already; let some end first`;
      throw new RegattaError('TOO_MANY_RUNS', message);
    }
  }

  /** I/O goes through queues where there are any. */
  #transportOf({ transport, kind }: RunRequest): 'grpc' | 'nats' {
    const queues = this.#options.feeder.port !== undefined;
    if (transport === 'nats' && !queues) {
      const message = 'this coordinator has no NATS, so --transport nats cannot be; start it with --nats, or use grpc';
      throw new RegattaError('NO_NATS', message);
    }
    return transport || (kind === 'io' && queues ? 'nats' : 'grpc');
  }
}
