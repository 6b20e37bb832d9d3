/** What the connection to NATS bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: brokerLimitViews } = defineLimits({
  dialMs: limit(5_000, 'ms', 'for a NATS server to accept a connection and say who it is'),
  retryMsMin: limit(250, 'ms', 'before the second attempt to connect; it doubles from attempt to attempt'),
  retryMsMax: limit(2_000, 'ms', 'between two attempts to connect'),
  reconnectMs: limit(250, 'ms', 'between two attempts after a connection was lost'),
  reconnectJitterMs: limit(100, 'ms', 'that NATS adds to reconnectMs, at most'),
  pingMs: limit(1_000, 'ms', 'between two pings of a NATS server'),
  pingsOutMax: limit(3, 'pings', 'that a NATS server leaves unanswered before it is taken for gone'),
  requestMs: limit(5_000, 'ms', 'for one request of the JetStream API'),
  closeMsMax: limit(750, 'ms', 'to send what waits to be sent before the connection is ended all the same'),
});
