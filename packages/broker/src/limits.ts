/** What the connection to NATS bounds, units in the names. */
export const limits = {
  /** For a server to accept a connection and say who it is. */
  dialMs: 5_000,
  /** Between attempts: the first wait, and what it grows to. */
  retryMsMin: 250,
  retryMsMax: 2_000,
  /** Between attempts after a connection was lost; NATS adds up to `reconnectJitterMs`. */
  reconnectMs: 250,
  reconnectJitterMs: 100,
  /** A server that leaves `pingsOutMax` pings unanswered is taken for gone. */
  pingMs: 5_000,
  pingsOutMax: 2,
  /** For one request of the JetStream API. */
  requestMs: 5_000,
  /** To send what waits to be sent before the connection is ended all the same. */
  closeMsMax: 2_000,
} as const;
