/** What the command line bounds, units in the names; and starting and ending a cluster on this machine. */
import { defineLimits, inGroup, type LimitView, limit } from '@regatta/kernel';
import { doctorLimitViews } from '../doctor/limits.ts';
import { embeddedLimitViews } from '../embedded/limits.ts';

const own = defineLimits({
  agentsMax: limit(64, 'nodes', 'that up starts'),
  repeatsMax: limit(100, 'rounds', 'of a race that are measured'),
  answerMsMax: limit(5_000, 'ms', 'for the coordinator to answer'),
  replayMsMax: limit(600_000, 'ms', 'for the coordinator to live the events of a run again'),
  coordinatorsMax: limit(
    16,
    'addresses',
    'of coordinators that may be given; those that one names as leading likewise',
  ),
  leaderMsMax: limit(15_000, 'ms', 'for a coordinator to lead, where there are some and none does'),
  successorMsMax: limit(60_000, 'ms', 'for another to take over, while a run is followed whose coordinator went away'),
  leaderLookMs: limit(200, 'ms', 'between two looks for a coordinator that leads'),
  leaderQuietMs: limit(1_000, 'ms', 'of looking for one before there is a word of it'),
  uploadPartBytes: limit(1_048_576, 'bytes', 'inputs that are sent together, unless it is a single one'),
  failuresShownMax: limit(5, 'tasks', 'failures that are printed after a run'),
  progressDrawMs: limit(80, 'ms', 'between two drawings of a bar'),
  progressLineMs: limit(2_000, 'ms', 'between two lines of progress where there is no terminal'),
  waitingQuietMs: limit(3_000, 'ms', 'without news of a run before it is said what it waits for'),
  uploadQuietMs: limit(500, 'ms', 'for which inputs are sent before there is a word of it'),
  drainPollMs: limit(100, 'ms', 'between two looks at a node that drains'),
  // From the terminal, and passed on by whoever started this process.
  signalEchoMs: limit(300, 'ms', 'within which two signals count as one'),
  startMsMax: limit(20_000, 'ms', 'for a coordinator or a node-agent to start'),
  endMsMax: limit(5_000, 'ms', 'for processes of a cluster to end, before they are killed'),
  endPollMs: limit(25, 'ms', 'between two looks at processes that end'),
  logTailCharacters: limit(600, 'characters', "of a log's end that are searched for why a process did not start"),
});

export const { limits } = own;

/** All that this process keeps to, for `regatta status --verbose`. */
export const views = (): LimitView[] => [
  ...own.views(),
  ...inGroup('embedded', embeddedLimitViews()),
  ...inGroup('doctor', doctorLimitViews()),
];
