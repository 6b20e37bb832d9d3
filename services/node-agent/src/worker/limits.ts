/** What host processes bound, units in the names. The agent's own are in ../limits.ts. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views } = defineLimits({
  newsMs: limit(50, 'ms', 'after which a chunk that goes on tells what it has; sooner after newsBytes'),
  newsBytes: limit(1_048_576, 'bytes', 'of results after which a chunk that goes on tells them; sooner after newsMs'),
  // A frame holds it, with room to spare.
  resultBytesMax: limit(33_554_432, 'bytes', 'the result of one task; one with more fails'),
  pipeBytesMax: limit(
    16_777_216,
    'bytes',
    'results on their way to the agent; beyond it no task begins in the threads until half of them are there',
  ),
  atOnceBytes: limit(16_384, 'bytes', 'what the pipe to the agent takes at once; behind more than that a chunk waits'),
  gatherMs: limit(1, 'ms', 'for which ends of short chunks are gathered, to be told together'),
  yieldMs: limit(10, 'ms', 'of work between tasks after which the event loop gets a turn'),
  abandonMs: limit(200, 'ms', 'for a task that waits and is told to stop, before its process is given up'),
  unknownStopsMax: limit(1_000, 'attempts', 'to stop that a thread does not know yet and remembers'),
  rssReadMs: limit(100, 'ms', 'between two looks of a host process at its own memory'),
  messageCharactersMax: limit(4_096, 'characters', "of a failure's message"),
  stackCharactersMax: limit(8_192, 'characters', "of a failure's stack"),
  stackLinesMax: limit(12, 'lines', "of a failure's stack"),
  targetCharactersMax: limit(300, 'characters', "of a target's name; longer ones that begin alike are taken for one"),
  failuresPerNewsMax: limit(1_000, 'tasks', 'failures in one piece of news, where a whole chunk failed at once'),
});
