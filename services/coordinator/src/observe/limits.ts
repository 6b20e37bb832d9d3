/** What is told of runs, and how often NATS is asked, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: observingLimitViews } = defineLimits({
  runsShownMax: limit(20, 'runs', 'that go on and have metrics of their own, the newest ones'),
  runNodesShownMax: limit(256, 'nodes', 'of each such run whose part is told'),
  lostNodeMs: limit(300_000, 'ms', 'for which Prometheus still looks for a node that was lost'),
  natsLookMs: limit(900, 'ms', 'for which what NATS said of its streams counts as fresh, however many scrape'),
  natsWaitMs: limit(500, 'ms', 'that a scrape waits for NATS; what comes later the next one tells'),
  natsAnswerMsMax: limit(2_000, 'ms', 'for the monitoring port of NATS to answer'),
  natsAnswerBytesMax: limit(1_048_576, 'bytes', 'of such an answer'),
  natsConsumersMax: limit(2_000, 'consumers', 'of a stream that are looked at'),
});
