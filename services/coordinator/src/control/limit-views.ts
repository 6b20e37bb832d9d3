/** What bounds the coordinator keeps to, as it tells them: its own, its parts', and its scheduler's with their units. */
import { accessLimitViews } from '@regatta/access';
import { brokerLimitViews } from '@regatta/broker';
import { defineLimits, inGroup, type LimitView, limit } from '@regatta/kernel';
import { metricsLimitViews } from '@regatta/observe/limits';
import { protoLimits } from '@regatta/proto/limits';
import { limits as schedulerLimits } from '@regatta/scheduler';
import { doorLimitViews } from '../access/limits.ts';
import { limitViews } from '../engine/limits.ts';
import { fanoutLimitViews } from '../fanout/limits.ts';
import { journalLimitViews } from '../journal/limits.ts';
import { observingLimitViews } from '../observe/limits.ts';
import { politenessLimitViews } from '../politeness/limits.ts';

/** The scheduler declares bare numbers. One without words here does not compile. */
const WORDS = {
  tasksPerRunMax: ['tasks', 'of one run'],
  runsActiveMax: ['runs', 'waiting or running at once'],
  retriesPerTaskMax: ['tries', 'after a task failed'],
  nodeLossesPerChunkMax: [
    'nodes',
    'lost with a chunk before its tasks are suspected, and tried in ever smaller chunks',
  ],
  innocentAttemptsPerChunkMax: ['attempts', "at a chunk let go of for others' sake before that counts as a loss"],
  chunkTasksMax: ['tasks', 'in one chunk'],
  chunkBytesMax: ['bytes', 'of results in one chunk; one that may have more is cut'],
  chunkTargetMs: ['ms', 'that a chunk of the policy awf should last'],
  chunkProbeTasksMax: ['tasks', 'in the first chunks of the policy awf, while nothing is known of them'],
  prefetchTargetMs: ['ms', 'of work that a node holds beside its busy lanes'],
  prefetchPerLaneMax: ['chunks', 'that a node holds for each lane beside its busy ones'],
  retryBackoffMsMin: ['ms', 'before the first new try of a task; it doubles from try to try'],
  retryBackoffMsMax: ['ms', 'between two tries of a task'],
  retryAfterMsMax: ['ms', 'that a failed task may ask to be left alone'],
  copyAfterMsMin: ['ms', 'with a node after which a chunk of a run with --speculate may be given to a second one'],
  copySlowness: ['times', 'as long as expected it has to have taken by then'],
  copiesPerLane: ['of lanes', 'of a run that copies take at a time; one always may'],
  copiesPerAttemptMax: ['times', 'that one chunk may be given to a second node, where one of the two is lost'],
  copyAfterTakeoverMs: ['ms', 'after a takeover before chunks are copied: nodes come back first'],
  copyLookMs: ['ms', 'between two looks for chunks to copy'],
  copyLookPart: ["of a run's age", 'between two looks for chunks to copy, where that is more'],
  lanesPerNodeMax: ['lanes', 'of a run on one node'],
  alarmsStaleMax: ['alarms', 'of runs that have ended, kept until they are swept out'],
  hangsMs: ['ms', 'with a node after which an explanation says what can be done about tasks that hang'],
  nodesExplainedMax: ['nodes', 'that an explanation names before it only counts them'],
} as const satisfies Record<keyof typeof schedulerLimits, readonly [unit: string, description: string]>;

const schedulerViews = (Object.keys(WORDS) as (keyof typeof WORDS)[]).map((name) => {
  const [unit, description] = WORDS[name];
  return { name, ...limit(schedulerLimits[name], unit, description) };
});

/** @param noProgressMs as this coordinator was told */
export const coordinatorLimitViews = (noProgressMs: number): LimitView[] => [
  ...limitViews(noProgressMs),
  ...inGroup('fanout', fanoutLimitViews()),
  ...inGroup('politeness', politenessLimitViews()),
  ...inGroup('journal', journalLimitViews()),
  ...inGroup('metrics', [...observingLimitViews(), ...metricsLimitViews()]),
  ...inGroup('access', [...doorLimitViews(), ...accessLimitViews()]),
  ...inGroup('broker', brokerLimitViews()),
  ...inGroup('proto', defineLimits(protoLimits).views()),
  ...inGroup('scheduler', schedulerViews),
];
