/** Our streams and consumers on NATS: made, looked after, emptied. Knows nothing of what is in them. */
import { ensureStream, type StreamNeeds } from '@regatta/broker';
import {
  OUTCOME_CONSUMER,
  OUTCOME_STREAM,
  OUTCOME_SUBJECTS,
  WORK_STREAM,
  WORK_SUBJECTS,
  workSubject,
} from '@regatta/proto/queue-names';
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';
import { limits } from './limits.ts';

/** Of one run's chunks. */
export interface Depth {
  /** That no node has taken. */
  readonly queued: number;
  /** That nodes hold. */
  readonly pending: number;
  /** Of those, that were given to a node before. */
  readonly redelivered: number;
}

/** When they were made: a stream of another time has lost what was in it. */
export interface StreamAges {
  readonly work: string;
  readonly outcomes: string;
}

const stream = (name: string, subjects: string): StreamNeeds => ({
  name,
  subjects: [subjects],
  retention: RetentionPolicy.Workqueue,
  storage: StorageType.File,
  duplicate_window: nanos(limits.duplicateWindowMs),
});

/** What we need, however many copies there are of it. */
export const queueStreams = {
  work: stream(WORK_STREAM, WORK_SUBJECTS),
  outcomes: stream(OUTCOME_STREAM, OUTCOME_SUBJECTS),
} as const;

/** @throws RegattaError STREAM_DIFFERS where somebody else's stream is in the way */
export async function ensureStreams(jsm: JetStreamManager, replicas: number): Promise<StreamAges> {
  const ageOf = async (needs: StreamNeeds): Promise<string> => {
    await ensureStream(jsm, { ...needs, num_replicas: replicas });
    return (await jsm.streams.info(needs.name)).created;
  };
  return { work: await ageOf(queueStreams.work), outcomes: await ageOf(queueStreams.outcomes) };
}

const consumer = (name: string, subject: string): Partial<ConsumerConfig> => ({
  durable_name: name,
  filter_subject: subject,
  ack_policy: AckPolicy.Explicit,
  deliver_policy: DeliverPolicy.All,
  ack_wait: nanos(limits.ackWaitMs),
  // A node ends what is delivered too often, with its cause. NATS itself would drop it without a word.
  max_deliver: -1,
  max_ack_pending: limits.ackPendingMax,
  max_waiting: limits.pullsWaitingMax,
});

/** Does nothing where it exists. */
export async function ensureRunConsumer(jsm: JetStreamManager, runId: string): Promise<void> {
  await jsm.consumers.add(WORK_STREAM, consumer(runId, workSubject(runId)));
}

/** Likewise. @returns when it was made */
export async function ensureOutcomeConsumer(jsm: JetStreamManager): Promise<string> {
  return (await jsm.consumers.add(OUTCOME_STREAM, consumer(OUTCOME_CONSUMER, OUTCOME_SUBJECTS))).created;
}

/** The runs that have a consumer. */
export async function runsWithConsumers(jsm: JetStreamManager): Promise<Set<string>> {
  const runs = new Set<string>();
  for await (const { name } of jsm.consumers.list(WORK_STREAM)) runs.add(name);
  return runs;
}

export const purgeWork = (jsm: JetStreamManager, runId: string): Promise<void> =>
  unlessGone(() => jsm.streams.purge(WORK_STREAM, { filter: workSubject(runId) }));

/**
 * Every chunk of a run. Its outcomes stay until they are taken: purging those of one run, nats-server 2.9 forgets for a
 * consumer of all runs whatever else it has not delivered, or not seen acknowledged, and never delivers it.
 */
export async function removeRun(jsm: JetStreamManager, runId: string): Promise<void> {
  await purgeWork(jsm, runId);
  await unlessGone(() => jsm.consumers.delete(WORK_STREAM, runId));
}

export async function depthOf(jsm: JetStreamManager, runId: string): Promise<Depth> {
  const { num_pending, num_ack_pending, num_redelivered } = await jsm.consumers.info(WORK_STREAM, runId);
  return { queued: num_pending, pending: num_ack_pending, redelivered: num_redelivered };
}

/** What is no longer there need not be removed. */
async function unlessGone(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (thrown) {
    if (!(thrown instanceof NatsError) || thrown.api_error?.code !== 404) throw thrown;
  }
}
