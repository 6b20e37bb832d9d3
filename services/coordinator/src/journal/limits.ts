/** What the journal and the leader's lease bound, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: journalLimitViews } = defineLimits({
  // NATS sets so much of its disk aside.
  streamBytesMin: limit(67_108_864, 'bytes', 'that the journal makes do with where NATS has no more room'),
  streamBytesMax: limit(4_294_967_296, 'bytes', 'of the stream; beyond it appends are refused'),
  duplicateWindowMs: limit(
    60_000,
    'ms',
    'for which NATS knows a message that is sent again; one that comes later is looked up in the stream',
  ),
  // Less than any NATS takes unless it was told to take little.
  partBytesMax: limit(1_044_480, 'bytes', 'one message; larger bodies go as parts'),
  headerBytes: limit(1_024, 'bytes', "of a message's size that are left to its headers, as NATS counts them in"),
  kindCharactersMax: limit(200, 'characters', 'of the kind of a record'),
  windowBytes: limit(8_388_608, 'bytes', 'sent and not acknowledged yet'),
  windowMessages: limit(4_096, 'messages', 'sent and not acknowledged yet'),
  pendingBytesMax: limit(
    268_435_456,
    'bytes',
    'appended and not acknowledged yet; beyond it an append is refused, until it is below pendingBytesLow',
  ),
  pendingBytesLow: limit(16_777_216, 'bytes', 'not acknowledged yet, below which whoever waits may append again'),
  ackMs: limit(5_000, 'ms', 'without an acknowledgement after which what is in flight is sent again'),
  retryMs: limit(250, 'ms', 'between two tries while NATS does not do what it should'),
  // A cluster that starts errs.
  absencesMax: limit(4, 'times', 'in a row that the stream is said not to be there before it is believed'),
  gatherMs: limit(1, 'ms', 'for which steps are gathered into one record, while there are many'),
  batchBytes: limit(524_288, 'bytes', 'of results after which the steps gathered go into a record at once'),
  bytesPerSnapshot: limit(16_777_216, 'bytes', 'of steps after which all of the engine is written down'),
  bytesPerSnapshotMin: limit(1_000, 'bytes', 'the least that --snapshot-bytes may say'),
  bytesPerSnapshotMax: limit(1_073_741_824, 'bytes', 'the most that --snapshot-bytes may say'),
  snapshotsKept: limit(8, 'snapshots', 'that are kept, with the steps since'),
  pipelineBytesMax: limit(
    67_108_864,
    'bytes',
    'of steps that the journal has not acknowledged; beyond it the next wait',
  ),
  inputTriesMax: limit(5, 'tries', 'to find room for the inputs of a run in a full journal, before it is refused'),
  fullDropRuns: limit(8, 'runs', 'whose results are given up to make room in a full journal'),
  fullRetryMs: limit(1_000, 'ms', 'until writing to a full journal is tried again'),
  takeOverTriesMax: limit(
    10,
    'tries',
    'to take over behind a writer that goes on writing, after which it is done whatever he wrote',
  ),
  // Who can make room then.
  takeOverBytes: limit(65_536, 'bytes', "by which a full stream grows so that a new leader's record fits"),
  poisonedToldMax: limit(
    10_000,
    'messages',
    'that are not ours and are remembered, not to be told again when met again',
  ),
  readBytes: limit(4_194_304, 'bytes', 'that a reader asks for at once; it asks twice ahead'),
  readMessagesMin: limit(1, 'messages', 'that a reader asks for at once, at least'),
  readMessagesMax: limit(1_000, 'messages', 'that a reader asks for at once, at most'),
  readMessagesFirst: limit(32, 'messages', 'that a reader asks for at first'),
  readSilenceMs: limit(3_000, 'ms', 'without a message after which a reader begins anew where it was'),
  readerForgottenMs: limit(30_000, 'ms', 'after which NATS forgets a reader that is gone'),
  deletionsMax: limit(128, 'deletions', 'under way at once'),
  renewMs: limit(1_000, 'ms', 'between two times that a leader writes its lease anew'),
  leaseMs: limit(3_000, 'ms', 'without a lease written anew after which a leader may be replaced'),
  lookMs: limit(250, 'ms', 'between two looks of a stand-by at the lease'),
  lookGapMs: limit(1_500, 'ms', 'without a look at the lease after which a stand-by begins to count anew'),
  leaseRequestMs: limit(1_000, 'ms', 'for one request about the lease'),
  finishMsMax: limit(800, 'ms', 'for what was recorded to be stored, where a coordinator is told to end'),
  handOverMsMax: limit(400, 'ms', 'for the lease to be given up, where a coordinator is told to end'),
});
