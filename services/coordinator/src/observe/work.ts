/** What is counted for the runs of one model over one transport: found once, so that to count costs an addition. */
import type { Durations, Tally } from '@regatta/observe';
import { modelNames } from '../cli/models.ts';
import type { RunRequest } from '../engine/run-record.ts';
import { LOSS_CODES, OUTCOMES, TRANSPORTS } from './label-values.ts';
import type { Metrics } from './metrics.ts';

/** By which figures of runs are told apart. */
export interface WorkLabels {
  readonly model: string;
  readonly transport: (typeof TRANSPORTS)[number];
}

export interface Work {
  readonly labels: WorkLabels;
  readonly submitted: Tally;
  readonly runsSubmitted: Tally;
  readonly attempts: Tally;
  readonly copies: Tally;
  readonly copiesWon: Tally;
  readonly tasks: Readonly<Record<'succeeded' | 'failed' | 'cancelled', Tally>>;
  readonly chunks: Readonly<Record<'completed' | 'stopped' | 'lost', Tally>>;
  readonly cpu: Tally;
  readonly resultBytes: Tally;
  readonly taskDuration: Durations;
  readonly wait: Durations;
  readonly dispatch: Durations;
  readonly serialization: Durations;
  readonly stall: Durations;
}

const MODELS: ReadonlySet<string> = new Set(modelNames);

/** A model's name is what a client says it is: there must be no more of them here than we know. */
export const labelsOf = ({ model, transport }: Pick<RunRequest, 'model' | 'transport'>): WorkLabels => ({
  model: MODELS.has(model) ? model : 'other',
  transport: transport === 'nats' ? 'nats' : 'grpc',
});

export class Works {
  readonly #metrics: Metrics;
  readonly #works = new Map<string, Work>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    for (const model of modelNames) for (const transport of TRANSPORTS) this.of({ model, transport });
  }

  of(labels: WorkLabels): Work {
    const key = `${labels.model}/${labels.transport}`;
    let work = this.#works.get(key);
    if (work === undefined) {
      work = this.#open(labels);
      this.#works.set(key, work);
    }
    return work;
  }

  /** With a first 0 for all of it: what is there for the first time as 5 is no rise to Prometheus. */
  #open(labels: WorkLabels): Work {
    const { tasks, chunks, retries, poison, lateFailures, runs, ...other } = this.#metrics;
    for (const outcome of OUTCOMES) runs.of({ ...labels, outcome });
    retries.of({ ...labels, reason: 'failed' });
    retries.of({ ...labels, reason: 'lost' });
    for (const reason of [...LOSS_CODES, 'OTHER']) poison.of({ ...labels, reason });
    other.ignored.of({ ...labels, reason: 'fenced-attempt' });
    other.ignored.of({ ...labels, reason: 'duplicate' });
    lateFailures.of(labels);
    other.runDuration.of(labels);
    return {
      labels,
      submitted: other.tasksSubmitted.of(labels),
      runsSubmitted: other.runsSubmitted.of(labels),
      attempts: other.attempts.of(labels),
      copies: other.copies.of(labels),
      copiesWon: other.copiesWon.of(labels),
      tasks: {
        succeeded: tasks.of({ ...labels, outcome: 'succeeded' }),
        failed: tasks.of({ ...labels, outcome: 'failed' }),
        cancelled: tasks.of({ ...labels, outcome: 'cancelled' }),
      },
      chunks: {
        completed: chunks.of({ ...labels, outcome: 'completed' }),
        stopped: chunks.of({ ...labels, outcome: 'stopped' }),
        lost: chunks.of({ ...labels, outcome: 'lost' }),
      },
      cpu: other.taskCpu.of(labels),
      resultBytes: other.resultBytes.of(labels),
      taskDuration: other.taskDuration.of(labels),
      wait: other.chunkWait.of(labels),
      dispatch: other.dispatch.of(labels),
      serialization: other.serialization.of(labels),
      stall: other.stall.of(labels),
    };
  }
}
