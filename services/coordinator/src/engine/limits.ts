/** What the coordinator bounds, units in the names (I6). The scheduler has limits of its own. */
import { limits as schedulerLimits } from '@regatta/scheduler';

export const limits = {
  /** Ended runs that are remembered; the oldest are forgotten first. */
  endedRunsMax: 1_000,
  /** Results and inputs in memory: beyond it they are moved to disk, in the background up to twice as much. */
  keptMemoryBytesMax: 134_217_728,
  /** Results and inputs on disk: beyond it results are dropped, those of the runs that ended longest ago first. */
  keptDiskBytesMax: 34_359_738_368,
  /** Results of one run: one that has more is stopped. */
  resultBytesPerRunMax: 17_179_869_184,
  /** The input of one task, the inputs that are sent together, and all those of a run. */
  inputBytesMax: 33_554_432,
  inputPartBytesMax: 1_114_112,
  inputPartsMax: 1_000_000,
  inputBytesPerRunMax: 17_179_869_184,
  /** Clients that send inputs at the same time, and how long one may be silent meanwhile. */
  uploadsMax: 64,
  uploadSilenceMs: 30_000,
  /** A run with no task ended for so long is explained in the log. */
  noProgressMs: 30_000,
  watchdogMs: 1_000,
  /** Failures of a run that are kept with their causes; all are counted. */
  failuresPerRunMax: 1_000,
  /** Messages, stacks and stderr of failures over all ended runs: beyond it those of the oldest are cut to so much. */
  causeCharactersMax: 67_108_864,
  causeCharactersShort: 100,
  /** Failures of each run that a list of runs tells. */
  failuresListedMax: 20,
  /** Failures that came after a task's result, likewise. */
  lateFailuresPerRunMax: 100,
  /** Host processes of one node that a run keeps figures of. */
  hostsPerNodeMax: 4_096,
  /** Lost nodes that are remembered; the one lost longest ago is forgotten first. */
  lostNodesMax: 256,
  /** Of a workload's name, and of a run's inputs as JSON. */
  nameCharactersMax: 200,
  paramsCharactersMax: 65_536,
  /** Of what a run's canceller says of it. */
  reasonCharactersMax: 1_000,
  heartbeatMs: 500,
  leaseMs: 5_000,
  /** A node that was lost for its silence and speaks again may tell what it has for so long, then joins anew. */
  lateNewsMs: 1_000,
  /** Its link is kept so long. */
  lostLinkMsMax: 60_000,
  helloMsMax: 5_000,
  keepaliveMs: 10_000,
  watchIntervalMs: 100,
  /** A client that reads results gets those of so long together. */
  resultsIntervalMs: 5,
  messageBytesMax: 67_108_864,
  /** What a peer may send before it hears that it was read. HTTP/2's own 64 KiB makes large messages wait. */
  windowBytes: 8_388_608,
  /** Orders to a node beyond this go in a frame of their own. */
  frameBytes: 1_048_576,
  shapeSideMax: 4_096,
  concurrencyMax: 65_536,
} as const;

export interface LimitView {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly description: string;
}

/** Those that people meet, for `regatta status --verbose`. @param noProgressMs as this coordinator was told */
export const limitViews = (noProgressMs: number): LimitView[] =>
  [
    ['runsActiveMax', schedulerLimits.runsActiveMax, 'runs', 'waiting or running at once'],
    ['tasksPerRunMax', schedulerLimits.tasksPerRunMax, 'tasks', 'of one run'],
    ['endedRunsMax', limits.endedRunsMax, 'runs', 'remembered after their end'],
    [
      'failuresPerRunMax',
      limits.failuresPerRunMax,
      'tasks',
      'failures of a run kept with their causes; all are counted',
    ],
    ['keptMemoryBytesMax', limits.keptMemoryBytesMax, 'bytes', 'results and inputs in memory; the rest goes to disk'],
    [
      'keptDiskBytesMax',
      limits.keptDiskBytesMax,
      'bytes',
      'results and inputs on disk; beyond it those of ended runs go, the oldest first',
    ],
    ['resultBytesPerRunMax', limits.resultBytesPerRunMax, 'bytes', 'results of one run; one with more is stopped'],
    ['inputBytesMax', limits.inputBytesMax, 'bytes', 'the input of one task'],
    ['inputBytesPerRunMax', limits.inputBytesPerRunMax, 'bytes', 'all inputs of a run'],
    ['messageBytesMax', limits.messageBytesMax, 'bytes', 'one gRPC message'],
    ['chunkTasksMax', schedulerLimits.chunkTasksMax, 'tasks', 'in one chunk'],
    ['retriesPerTaskMax', schedulerLimits.retriesPerTaskMax, 'tries', 'after a task failed'],
    [
      'nodeLossesPerChunkMax',
      schedulerLimits.nodeLossesPerChunkMax,
      'nodes',
      'lost with a chunk before it is suspected',
    ],
    ['leaseMs', limits.leaseMs, 'ms', 'without a sign of life after which a node is lost'],
    ['noProgressMs', noProgressMs, 'ms', 'without a task ended after which a run is explained in the log'],
    ['lostNodesMax', limits.lostNodesMax, 'nodes', 'remembered after their loss'],
  ].map(([name, value, unit, description]) => ({ name, value, unit, description }) as LimitView);
