/** What `regatta doctor` bounds, and from where on it warns; units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: doctorLimitViews } = defineLimits({
  checkMsMax: limit(2_000, 'ms', 'for each check; one that takes longer is told of as such'),
  answerBytesMax: limit(16_777_216, 'bytes', 'that Prometheus or Grafana may answer'),
  throttleLookMs: limit(1_000, 'ms', 'between two looks at how long a quota held nodes back'),
  runsLookedAtMax: limit(100, 'runs', 'that were submitted last, for how wide they are on each node'),
  clockMsWarning: limit(500, 'ms', "between two hosts' clocks, beyond which it warns"),
  clockMsWrong: limit(10_000, 'ms', "between two hosts' clocks, beyond which that is wrong"),
  natsRoundTripMsWarning: limit(50, 'ms', 'to NATS and back, beyond which it warns'),
  natsPayloadBytesMin: limit(1_048_576, 'bytes', 'that a message of NATS must be able to hold'),
  fullPartWarning: limit(0.8, 'of what it may hold', 'beyond which it warns of a stream, or of a disk of NATS'),
  fullPartWrong: limit(0.95, 'of what it may hold', 'beyond which that is wrong'),
  refusedShownMax: limit(5, 'nodes', 'that were refused and are named'),
  // Several tries of a node that is refused again and again, with its longest pause between two.
  refusedRecentMs: limit(30_000, 'ms', 'since a node was refused for which that is wrong; later it warns'),
  lostShownMax: limit(10, 'nodes', 'that were lost and are named'),
  namesShownMax: limit(
    5,
    'names',
    'of dashboards, rules or alerts in one line; of targets or alerts in lines of their own',
  ),
  textCharactersMax: limit(200, 'characters', 'of each text that Prometheus gives'),
});
