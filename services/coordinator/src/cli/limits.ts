/** What the command line bounds, units in the names; and starting and ending a cluster on this machine. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views } = defineLimits({
  agentsMax: limit(64, 'nodes', 'that up starts'),
  repeatsMax: limit(100, 'rounds', 'of a race that are measured'),
  answerMsMax: limit(5_000, 'ms', 'for the coordinator to answer'),
  uploadPartBytes: limit(1_048_576, 'bytes', 'inputs that are sent together, unless it is a single one'),
  failuresShownMax: limit(5, 'tasks', 'failures that are printed after a run'),
  progressDrawMs: limit(80, 'ms', 'between two drawings of a bar'),
  progressLineMs: limit(2_000, 'ms', 'between two lines of progress where there is no terminal'),
  uploadQuietMs: limit(500, 'ms', 'for which inputs are sent before there is a word of it'),
  drainPollMs: limit(100, 'ms', 'between two looks at a node that drains'),
  // From the terminal, and passed on by whoever started this process.
  signalEchoMs: limit(300, 'ms', 'within which two signals count as one'),
  startMsMax: limit(20_000, 'ms', 'for a coordinator or a node-agent to start'),
  endMsMax: limit(5_000, 'ms', 'for processes of a cluster to end, before they are killed'),
  endPollMs: limit(25, 'ms', 'between two looks at processes that end'),
  logTailCharacters: limit(600, 'characters', "of a log's end that are searched for why a process did not start"),
});
