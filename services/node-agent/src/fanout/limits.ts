/** What the queue's end in the agent bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';
import { ACK_WAIT_MS } from '@regatta/proto/queue-names';

export const { limits, views: fanoutLimitViews } = defineLimits({
  // More often than the wait: one that is late must not cost us the chunk.
  workingMs: limit(ACK_WAIT_MS / 3, 'ms', 'between two signs to NATS that a chunk it gave us is still ours'),
  deliveriesMax: limit(5, 'times', 'that a chunk is given to nodes before one ends it as lost'),
  aheadMin: limit(4, 'chunks', 'of a run that are taken from NATS beyond its lanes, at least'),
  aheadPartFirst: limit(
    0.25,
    'of its lanes',
    'more chunks of a run that are taken, while it is not known how long they take',
  ),
  aheadMs: limit(30, 'ms', 'for which chunks that are taken ahead of time keep all lanes of a run busy'),
  aheadChunksMax: limit(64, 'chunks', 'of a run that are taken ahead of time; as many as lanes, where that is more'),
  endedKept: limit(4_096, 'chunks', 'of a run that are known to be done, should NATS deliver them once more'),
  gatherMs: limit(1, 'ms', 'for which outcomes are gathered into one message, while there are many'),
  messageBytesMax: limit(1_048_576, 'bytes', 'of one message with outcomes; less where the NATS server takes less'),
  // Beside its payload: the header with its id, and what the wire adds.
  envelopeBytes: limit(1_024, 'bytes', "of NATS's max_payload that are left to a message's envelope"),
  bytesInFlightMax: limit(8_388_608, 'bytes', 'of outcomes sent to NATS that it has not acknowledged'),
  waitingBytesMax: limit(67_108_864, 'bytes', 'of outcomes that NATS does not have, at which no chunk is taken'),
  missingMs: limit(2_000, 'ms', 'for which the queue of a run may be missing before that is told'),
  lookMs: limit(50, 'ms', 'between two looks whether NATS has caught up, while no task begins'),
  resendMs: limit(5_000, 'ms', 'without an acknowledgement after which outcomes are sent to NATS again'),
  refusedMs: limit(500, 'ms', 'between two tries where NATS refuses outcomes'),
});
