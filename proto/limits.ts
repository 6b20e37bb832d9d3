/**
 * What both ends bound of messages, and of asking NATS for them; units in the names. No wire types: whoever tells limits
 * may import it. In the shape of kernel's `defineLimits`, as the wire format itself depends on nothing of ours.
 */
export const protoLimits = {
  // A few bytes of empty parts each would otherwise become a few hundred of objects.
  numbersPerMessageMax: { value: 1_000_000, unit: 'parts', description: 'tags and lengths in one gRPC message' },
  // Empty parts of two bytes each would become hundreds of times that in memory.
  numbersPerQueuedMessageMax: {
    value: 100_000,
    unit: 'parts',
    description: 'tags and lengths in one message of NATS',
  },
  pullHeartbeatMs: {
    value: 2_000,
    unit: 'ms',
    description: 'between two signs of NATS that a request for messages waits',
  },
  pullExpiresMs: { value: 30_000, unit: 'ms', description: 'for which NATS keeps a request for messages' },
  // Two and a half heartbeats.
  pullSilenceMs: {
    value: 5_000,
    unit: 'ms',
    description: 'of silence after which NATS has forgotten a request for messages',
  },
  pullRetryMsMin: {
    value: 100,
    unit: 'ms',
    description: 'before messages are asked for anew; it doubles from try to try',
  },
  pullCloseMsMax: {
    value: 250,
    unit: 'ms',
    description: 'for messages that are on their way to come, once no more are asked for',
  },
  pullRetryMsMax: { value: 2_000, unit: 'ms', description: 'between two tries to ask for messages anew' },
} as const;
