/** What the coordinator bounds, units in the names (I6). The scheduler has limits of its own. */
export const limits = {
  /** Ended runs that are remembered; the oldest are forgotten first. */
  endedRunsMax: 1_000,
  /**
   * Bytes of results kept over all runs; beyond it those of the runs that ended longest ago are dropped. A run that
   * still goes on keeps its own.
   */
  resultBytesMax: 1_073_741_824,
  /** Failures of a run that are kept with their causes; all are counted. */
  failuresPerRunMax: 1_000,
  /** Failures of each run that a list of runs tells. */
  failuresListedMax: 20,
  /** Lost nodes that are remembered; the one lost longest ago is forgotten first. */
  lostNodesMax: 256,
  /** Of a workload's name, and of a run's inputs as JSON. */
  nameCharactersMax: 200,
  paramsCharactersMax: 65_536,
  heartbeatMs: 500,
  leaseMs: 5_000,
  helloMsMax: 5_000,
  watchIntervalMs: 100,
  messageBytesMax: 67_108_864,
  shapeSideMax: 4_096,
  concurrencyMax: 65_536,
} as const;
