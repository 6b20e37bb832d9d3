/** Every bound the scheduler keeps to (I6), units in the names. */
export const limits = {
  tasksPerRunMax: 1_000_000_000,
  runsActiveMax: 10_000,
  retriesPerTaskMax: 100,
  /** How often a chunk may be lost with its node before its tasks are given up: such a chunk may be what kills them. */
  nodeLossesPerChunkMax: 5,
  chunkTasksMax: 65_536,
  /** A chunk of more result bytes than this is cut: frames stay well below what a gRPC peer accepts. */
  chunkBytesMax: 1_048_576,
  /** How long an `awf` chunk should last: enough to hide a dispatch of about 1 ms, little enough to balance the end. */
  chunkTargetMs: 50,
  /** First `awf` chunks, while nothing is known of the tasks. */
  chunkProbeTasksMax: 16,
  /** A node holds enough waiting chunks to stay busy for this long while an order is on its way. */
  prefetchTargetMs: 10,
  prefetchPerLaneMax: 64,
  retryBackoffMsMin: 50,
  retryBackoffMsMax: 5_000,
  lanesPerNodeMax: 65_536,
} as const;
