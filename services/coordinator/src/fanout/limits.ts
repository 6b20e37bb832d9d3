/** What the queue's end in the coordinator bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';
import { ACK_WAIT_MS } from '@regatta/proto/queue-names';

export const { limits, views: fanoutLimitViews } = defineLimits({
  ackWaitMs: limit(ACK_WAIT_MS, 'ms', 'without a sign from its holder after which a queued chunk goes to another node'),
  duplicateWindowMs: limit(180_000, 'ms', 'for which NATS knows a message that is sent again'),
  bytesInFlightMax: limit(8_388_608, 'bytes', 'of chunks sent to NATS that it has not acknowledged'),
  resendMs: limit(5_000, 'ms', 'without an acknowledgement after which a chunk is sent to NATS again'),
  refusedMs: limit(500, 'ms', 'between two tries where NATS refuses a chunk'),
  // Beside its payload: the header with its id, and what the wire adds.
  envelopeBytes: limit(512, 'bytes', "of NATS's max_payload that are left to a message's envelope"),
  heldMessagesMax: limit(128, 'messages', 'with outcomes, taken from NATS and not yet stored'),
  heldBytesMax: limit(
    33_554_432,
    'bytes',
    'of outcomes taken from NATS and not yet stored, at which no more are taken',
  ),
  askMessagesMin: limit(32, 'messages', 'with outcomes that are asked for together'),
  takenAgainMax: limit(10_000, 'chunks', 'delivered more than once of which it is known who had them'),
  takersPerChunkMax: limit(20, 'nodes', 'that are known to have had one of them'),
  ackPendingMax: limit(65_536, 'chunks', 'of one run that nodes may hold together'),
  pullsWaitingMax: limit(4_096, 'requests', "of nodes that wait for one run's chunks"),
  lostLookMs: limit(2_000, 'ms', 'between two looks for chunks that are nowhere any more'),
  lostLooks: limit(4, 'looks', 'in a row that find none of a run that stands still, before they are queued again'),
  checkMs: limit(5_000, 'ms', 'between two looks whether our streams and consumers are still there'),
  retryMs: limit(500, 'ms', 'between two tries of what NATS did not do'),
});
