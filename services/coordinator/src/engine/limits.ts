/** What the coordinator bounds, units in the names (I6). The scheduler has limits of its own. */
import { defineLimits, type LimitView, limit } from '@regatta/kernel';

const own = defineLimits({
  endedRunsMax: limit(1_000, 'runs', 'remembered after their end; the oldest are forgotten first'),
  // In the background, up to twice as much.
  keptMemoryBytesMax: limit(134_217_728, 'bytes', 'results and inputs in memory; the rest goes to disk'),
  keptDiskBytesMax: limit(
    34_359_738_368,
    'bytes',
    'results and inputs on disk; beyond it results are dropped, those of the runs that ended longest ago first',
  ),
  logBlockBytesMin: limit(256, 'bytes', 'that the results or inputs of a run take in memory, at least'),
  logBlockBytesMax: limit(65_536, 'bytes', 'of results or inputs that are gathered in one block of memory'),
  logWriteBytesMin: limit(262_144, 'bytes', 'of a run that are worth a write to disk; less stays in memory'),
  resultBytesPerRunMax: limit(17_179_869_184, 'bytes', 'results of one run; one that has more is stopped'),
  inputBytesMax: limit(33_554_432, 'bytes', 'the input of one task'),
  inputPartBytesMax: limit(1_114_112, 'bytes', 'inputs that are sent together, unless it is a single one'),
  inputPartsMax: limit(1_000_000, 'parts', 'in which the inputs of a run are sent'),
  inputBytesPerRunMax: limit(17_179_869_184, 'bytes', 'all inputs of a run'),
  inputBytesInFlightMax: limit(
    268_435_456,
    'bytes',
    'inputs that a node has been sent and whose tasks have not ended; beyond it the next wait, but for one chunk',
  ),
  pullsPerNodeMax: limit(10_000, 'runs', 'that a node says it pulls for, as it joins'),
  recordWaitMsMax: limit(3_000, 'ms', 'for which a run that is submitted waits for NATS, before it is refused'),
  recordLookMs: limit(50, 'ms', 'between two looks at whether NATS is back, meanwhile'),
  queuedBytesMax: limit(67_108_864, 'bytes', 'of chunks that NATS does not have yet; beyond it the next are not read'),
  queueLookMs: limit(20, 'ms', 'between two looks whether NATS has caught up, while chunks wait for it'),
  uploadsMax: limit(64, 'clients', 'that send inputs at the same time'),
  uploadSilenceMs: limit(30_000, 'ms', 'for which a client that sends inputs may be silent'),
  noProgressMs: limit(30_000, 'ms', 'without a task ended after which a run is explained in the log'),
  noProgressMsMin: limit(100, 'ms', 'the least that --explain-after may say'),
  noProgressMsMax: limit(86_400_000, 'ms', 'the most that --explain-after may say'),
  watchdogMs: limit(1_000, 'ms', 'between two looks for runs that get nowhere'),
  failuresPerRunMax: limit(1_000, 'tasks', 'failures of a run kept with their causes; all are counted'),
  causeCharactersMax: limit(
    67_108_864,
    'characters',
    'messages, stacks and stderr of failures over all ended runs; beyond it those of the oldest are cut',
  ),
  causeCharactersShort: limit(100, 'characters', 'to which the causes of the oldest failures are cut'),
  failuresListedMax: limit(20, 'tasks', 'failures of each run that a list of runs tells'),
  lateFailuresPerRunMax: limit(100, 'failures', "that came after a task's result, kept for each run"),
  hostsPerNodeMax: limit(4_096, 'hosts', 'of one node that a run keeps figures of'),
  lostNodesMax: limit(256, 'nodes', 'remembered after their loss; the one lost longest ago is forgotten first'),
  runsListedMax: limit(1_000, 'runs', 'in one list'),
  nameCharactersMax: limit(200, 'characters', 'of the name of a workload, and of whatever else a node names'),
  namesCharactersMax: limit(1_000, 'characters', 'of the names of nodes that an error lists'),
  shownCharactersMax: limit(100, 'characters', 'of what a client gave that an error repeats'),
  paramsCharactersMax: limit(65_536, 'characters', "of a run's inputs as JSON"),
  reasonCharactersMax: limit(1_000, 'characters', "of what a run's canceller says of it"),
  shapeSideMax: limit(4_096, 'processes', 'of a run on a node; threads a process and nodes a run likewise'),
  concurrencyMax: limit(65_536, 'tasks', 'in flight a thread'),
  // The longest that a timer takes.
  durationMsMax: limit(2_147_483_647, 'ms', 'time limit of a task, and of a run'),
  placeMsMax: limit(
    2_000,
    'ms',
    'for a coordinator that starts to find out whether it leads, before it counts as started',
  ),
  endMsMax: limit(4_000, 'ms', 'for a coordinator that is told to end to do so in good order'),
  lingerMsMax: limit(100, 'ms', 'from the good order in which a coordinator has ended to the end of its process'),
  heartbeatMs: limit(500, 'ms', 'between two signs of life of a node'),
  beatsMissed: limit(3, 'heartbeats', 'late, at which a silent node explains why its runs wait'),
  leaseMs: limit(5_000, 'ms', 'without a sign of life after which a node is lost'),
  clockSamplesMax: limit(8, 'heartbeats', "the best of which tells how far a node's clock is from the coordinator's"),
  refusedNodesMax: limit(32, 'nodes', 'that were refused and are remembered; the one refused longest ago is forgotten'),
  refusedNodeMsMax: limit(600_000, 'ms', 'for which a node that was refused is told of'),
  lateNewsMs: limit(1_000, 'ms', 'for a lost node that speaks again to tell what it has; then it joins anew'),
  lostLinkMsMax: limit(60_000, 'ms', 'of silence after which the link of a lost node is closed'),
  helloMsMax: limit(5_000, 'ms', 'from the connection of a node to its hello, at most'),
  keepaliveMs: limit(10_000, 'ms', 'between two looks at whether a silent peer is still there'),
  watchIntervalMs: limit(100, 'ms', 'between two changes that are told to whoever watches a run; its end goes at once'),
  resultsIntervalMs: limit(5, 'ms', 'for which results are gathered for a client that reads them'),
  // Those that were refused count until their callers hang up.
  callsPerConnectionMax: limit(1_000, 'calls', 'at a time over one connection; more wait at the caller'),
  refusalLogMs: limit(10_000, 'ms', 'between two lines in the log about calls that were refused for their token'),
  messageBytesMax: limit(67_108_864, 'bytes', 'one gRPC message'),
  // HTTP/2's own 64 KiB makes large messages wait.
  windowBytes: limit(8_388_608, 'bytes', 'that a peer may send before it hears that they were read'),
  frameBytes: limit(1_048_576, 'bytes', 'of orders to a node, or of results to a client, in one message, about'),
  coresPerNodeMax: limit(65_536, 'cores', 'that a node may say it has'),
  workloadsPerNodeMax: limit(1_000, 'workloads', 'that a node may offer'),
  parametersPerWorkloadMax: limit(100, 'parameters', 'that a workload of a node may take'),
  limitsPerNodeMax: limit(200, 'limits', 'of a node and its hosts that are told'),
  messageCharactersMax: limit(4_096, 'characters', "of a failure's message, as of what else a node says"),
  stackCharactersMax: limit(8_192, 'characters', "of a failure's stack"),
  // Sums of a million of these are still exact.
  measuredMsMax: limit(8_589_934_592, 'ms', 'that a node may say something took; more is taken for this'),
  hostRssBytesMax: limit(1_099_511_627_776, 'bytes', 'of memory that a node may say it uses; more is taken for this'),
});

export const { limits } = own;

/** All that the coordinator itself keeps to. @param noProgressMs as this one was told */
export const limitViews = (noProgressMs: number): LimitView[] => own.views({ noProgressMs });
