/** Requests to NATS that wait through any outage, and those answers of NATS that are final. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker, BrokerState } from '@regatta/broker';
import { RegattaError } from '@regatta/kernel';
import type { NatsError } from 'nats';
import { limits } from './limits.ts';

/** NATS's numbers of its errors. */
export const API = {
  noMessage: 10_037,
  sequenceNotFound: 10_043,
  consumerNotFound: 10_014,
  streamNotFound: 10_059,
  wrongLastSequence: 10_071,
  wrongLastMessageId: 10_070,
} as const;

/** NATS's number of what it answered; nothing where it did not answer, or could not just now. */
export function apiNumber(error: unknown): number | undefined {
  const { code, err_code: number } = (error as NatsError)?.api_error ?? {};
  // 5xx is of a server that is starting, full or without its peers.
  return code !== undefined && code < 500 ? number : undefined;
}

/**
 * Asks until there is an answer. What is asked must bear being asked twice.
 * @throws what NATS answered, where that will not change; RegattaError BROKER_CLOSED
 */
export async function answerOf<T>(broker: Broker, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    // What is asked over a connection that is lost is lost, too: no need to wait for its time to be up.
    await changeTo(broker, 'ready').promise;
    const lost = changeTo(broker, 'waiting');
    try {
      const answer = await Promise.race([ask(), lost.promise]);
      if (answer !== LOST) return answer as T;
    } catch (error) {
      if (error instanceof RegattaError || apiNumber(error) !== undefined || !isOutage(error)) throw error;
      await delay(limits.retryMs);
    } finally {
      lost.stop();
    }
  }
}

const LOST = Symbol('lost');

/** Rejects where the broker is closed. */
function changeTo(broker: Broker, kind: BrokerState['kind']): { promise: Promise<typeof LOST>; stop: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<typeof LOST>();
  promise.catch(() => {});
  const look = (state: BrokerState): void => {
    if (state.kind === 'closed') reject(new RegattaError('BROKER_CLOSED', 'the connection to NATS was closed'));
    else if (state.kind === kind) resolve(LOST);
    else return;
    stop();
  };
  const stop = broker.onState(look);
  look(broker.state);
  return { promise, stop };
}

function isOutage(error: unknown): boolean {
  const { name, code, api_error: api } = (error ?? {}) as Partial<NatsError>;
  return name === 'NatsError' && (api !== undefined || !FINAL.has(code ?? ''));
}

/** Mistakes of ours, not troubles of NATS. */
const FINAL = new Set(['BAD_PAYLOAD', 'BAD_SUBJECT', 'INVALID_OPTION', 'BAD_HEADER']);
