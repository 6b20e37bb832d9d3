/** How things are called on NATS: streams, subjects, consumers, and the ids by which a message is stored once. */

export const WORK_STREAM = 'REGATTA_WORK';
export const OUTCOME_STREAM = 'REGATTA_OUTCOMES';

const WORK = 'regatta.work.';
const OUTCOMES = 'regatta.outcomes.';

/** One token each: a run's name. */
export const WORK_SUBJECTS = `${WORK}*`;
export const OUTCOME_SUBJECTS = `${OUTCOMES}*`;

/** The durable consumer of the outcome stream. That of a run's work is called as the run. */
export const OUTCOME_CONSUMER = 'coordinator';

/** A name that can be a token of a subject and the name of a consumer. */
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;

export const isQueueName = (runId: string): boolean => TOKEN.test(runId);

export const workSubject = (runId: string): string => WORK + runId;
export const outcomeSubject = (runId: string): string => OUTCOMES + runId;

/** The run of a subject of either kind. */
export const runOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1);

export const workMessageId = (runId: string, attemptId: number): string => `${runId}/${attemptId}`;

/**
 * Of both consumers: without an answer for so long a message goes to another. Whoever holds one says three times as often
 * that it is still at it.
 */
export const ACK_WAIT_MS = 5_000;
