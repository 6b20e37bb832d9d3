/** What the journal and the leader's lease bound, units in the names. */
export const limits = {
  /** Of the stream; NATS sets so much of its disk aside. Beyond it appends are refused. */
  streamBytesMax: 4_294_967_296,
  /** NATS knows again what is sent twice within so long; what comes later is looked up in the stream. */
  duplicateWindowMs: 60_000,
  /** One message, which is less than any NATS takes unless it was told to take little; larger bodies go as parts. */
  partBytesMax: 1_044_480,
  /** Of a message's size, for its headers, as NATS counts them in. */
  headerBytes: 1_024,
  /** Of a kind. */
  kindCharactersMax: 200,
  /** Sent and not acknowledged yet. */
  windowBytes: 8_388_608,
  windowMessages: 4_096,
  /** Appended and not acknowledged yet: beyond it an append is refused; `drained` waits until it is below the low mark. */
  pendingBytesMax: 268_435_456,
  pendingBytesLow: 16_777_216,
  /** Without an acknowledgement after which what is in flight is sent again. */
  ackMs: 5_000,
  /** Between tries while NATS does not do what it should. */
  retryMs: 250,
  /** Times in a row that the stream is said not to be there before it is believed: a cluster that starts errs. */
  absencesMax: 4,
  /** Steps that go into one record: those of so long, while there are many, or as many as have so many bytes of results. */
  gatherMs: 1,
  batchBytes: 524_288,
  /** Of steps, after which all of the engine is written down; and how many such snapshots are kept, with the steps since. */
  bytesPerSnapshot: 16_777_216,
  snapshotsKept: 8,
  /** In a full journal: runs whose results are given up to make room, and how long until writing is tried again. */
  fullDropRuns: 8,
  fullRetryMs: 1_000,
  /** Tries to take over behind a writer that goes on writing, after which it is done whatever he wrote. */
  takeOverTriesMax: 10,
  /** By which a full stream grows so that a new leader's record fits, who can make room then. */
  takeOverBytes: 65_536,
  /** Messages that are not ours and are not told again when they are met again. */
  poisonedToldMax: 10_000,
  /** What a reader asks for at once; it asks twice ahead. */
  readBytes: 4_194_304,
  readMessagesMin: 1,
  readMessagesMax: 1_000,
  readMessagesFirst: 32,
  /** Without a message after which a reader begins anew where it was. */
  readSilenceMs: 3_000,
  /** After which NATS forgets a reader that is gone. */
  readerForgottenMs: 30_000,
  /** Deletions under way at once. */
  deletionsMax: 128,
  /** A leader writes its lease anew so often; one that did not for so long may be replaced. */
  renewMs: 1_000,
  leaseMs: 3_000,
  /** How often a stand-by looks; one that could not look for longer begins to count anew. */
  lookMs: 250,
  lookGapMs: 1_500,
  /** For one request about the lease. */
  leaseRequestMs: 1_000,
} as const;
