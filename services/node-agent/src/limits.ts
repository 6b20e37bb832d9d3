/** What the agent bounds, units in the names. What a host process bounds is in worker/limits.ts, the queue in fanout/limits.ts. */
import { accessLimitViews } from '@regatta/access';
import { brokerLimitViews } from '@regatta/broker';
import { defineLimits, inGroup, type LimitView, limit } from '@regatta/kernel';
import { metricsLimitViews } from '@regatta/observe/limits';
import { protoLimits } from '@regatta/proto/limits';
import { fanoutLimitViews } from './fanout/limits.ts';
import { politenessLimitViews } from './politeness/limits.ts';
import { views as workerViews } from './worker/limits.ts';

const own = defineLimits({
  hostTasksMax: limit(
    10_000_000,
    'tasks',
    'after which a host process is replaced, unless --host-tasks says otherwise',
  ),
  hostTasksSettableMax: limit(1_000_000_000_000, 'tasks', 'the most that --host-tasks may say'),
  hostMemorySettableBytesMin: limit(134_217_728, 'bytes', 'the least that --host-memory may say'),
  hostMemoryDefaultBytesMin: limit(268_435_456, 'bytes', 'for a host process without --host-memory, at least'),
  hostMemoryDefaultPart: limit(0.75, 'of memory', 'shared by cores, for a host process without --host-memory'),
  recycleMemoryPart: limit(0.75, 'of its limit', 'memory at which a host process is replaced once it is idle'),
  memoryWatchMs: limit(250, 'ms', "between two looks at host processes' memory"),
  memoryStaleMs: limit(5, 'ms', 'for which a look at the memory of a host process counts as fresh'),
  coresMax: limit(1_024, 'cores', 'the most that --cores and --prestart may say'),
  // With so many, runs begin to share them.
  hostsPerCoreMax: limit(4, 'hosts', 'for each prestarted one; or hostsLeast, if that is more'),
  hostsLeast: limit(8, 'hosts', 'there may always be, however few cores'),
  hostIdleMsMax: limit(60_000, 'ms', 'idle after which a host process beyond the prestarted ones ends'),
  sweepMs: limit(10_000, 'ms', 'between two looks for host processes that are idle'),
  stillbornMax: limit(5, 'hosts', 'in a row that die at their start before the node gives up'),
  threadStartMsMax: limit(20_000, 'ms', "for a host's threads to start, before its first task begins"),
  watchMs: limit(50, 'ms', 'between two looks for tasks past their time'),
  // News of its start may be on its way.
  silenceSlackMs: limit(250, 'ms', 'beyond its time limit before a silent task counts as stuck'),
  stopGraceMs: limit(200, 'ms', 'from the order to stop to the kill of a host process that does not'),
  // Another process may hold its pipe open.
  lastWordsMs: limit(100, 'ms', "after a host's end to wait for what it wrote last"),
  stderrTailBytes: limit(4_096, 'bytes', 'of what a host process wrote last that are kept'),
  // A host need not wait for an order.
  aheadMs: limit(2, 'ms', 'of work that a host process is given ahead of time; one chunk at least'),
  aheadChunkMsMax: limit(100, 'ms', 'length up to which chunks are given ahead of time'),
  aheadChunksMax: limit(64, 'chunks', 'that a host process is given ahead of time'),
  outboxBytesMax: limit(
    16_777_216,
    'bytes',
    'results that wait to be sent; beyond it no task begins until half of them are gone',
  ),
  lateFailuresMax: limit(1_000, 'failures', "after a task's result that wait to be told; beyond it they are dropped"),
  resumeMsMax: limit(60_000, 'ms', 'without a coordinator, after which the work of one with a journal is dropped'),
  seekMsMax: limit(500, 'ms', 'between two looks for a coordinator that leads, where one is to be expected'),
  reportBytes: limit(1_048_576, 'bytes', 'in one frame to the coordinator, about'),
  reportGatherMs: limit(1, 'ms', 'for which news is gathered, while there is much of it'),
  messageBytesMax: limit(67_108_864, 'bytes', 'one gRPC message'),
  // HTTP/2's own 64 KiB makes large messages wait.
  windowBytes: limit(8_388_608, 'bytes', 'that the coordinator may send before it hears that they were read'),
  welcomeMsMax: limit(10_000, 'ms', 'from the hello to the welcome, at most'),
  reconnectMsMin: limit(100, 'ms', 'before the first try to reach a coordinator again; it doubles from try to try'),
  reconnectMsMax: limit(5_000, 'ms', 'between two tries to reach a coordinator'),
  // It takes a person to mend it.
  refusedRetryMs: limit(3_000, 'ms', 'before the next try, after a coordinator refused the token of this node'),
  refusalLogMs: limit(
    60_000,
    'ms',
    'between two lines in the log about looks at metrics that were refused for their token',
  ),
  throttleReadMs: limit(50, 'ms', 'between two looks at how long the machine held this node back'),
  restMs: limit(2_000, 'ms', 'after its start an agent without work gives memory back'),
  drainSDefault: limit(
    20,
    's',
    'for which a node that is told to end finishes what it has, unless --drain says otherwise',
  ),
  drainSettableSMax: limit(86_400, 's', 'the most that --drain may say'),
  handBackMsMax: limit(2_000, 'ms', 'for what is not finished by then to be handed back'),
  goodbyeMsMax: limit(1_000, 'ms', 'for a coordinator to hear, or to be there to hear, that a node leaves'),
  leaveLookMs: limit(20, 'ms', 'between two looks whether a node that leaves still has something to do'),
  signalEchoMs: limit(300, 'ms', 'within which two signals count as one'),
  endMsMax: limit(100, 'ms', 'from the order to end to the end of the agent'),
});

export const { limits } = own;

/** What each host process may use up before it is replaced, or killed. */
export interface HostLimits {
  readonly tasksMax: number;
  /** Resident. */
  readonly memoryBytesMax: number;
}

/** All that this process and its hosts keep to, for `regatta status --verbose`. @param hosts as this agent was told */
export const limitViews = ({ tasksMax, memoryBytesMax }: HostLimits): LimitView[] => [
  { name: 'hostMemoryBytesMax', ...limit(memoryBytesMax, 'bytes', 'resident, at which a host process is killed') },
  ...own.views({ hostTasksMax: tasksMax }),
  ...inGroup('fanout', fanoutLimitViews()),
  ...inGroup('politeness', politenessLimitViews()),
  ...inGroup('access', accessLimitViews()),
  ...inGroup('metrics', metricsLimitViews()),
  ...inGroup('broker', brokerLimitViews()),
  ...inGroup('proto', defineLimits(protoLimits).views()),
  ...inGroup('host', workerViews()),
];
