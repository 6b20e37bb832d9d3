/** What the metrics server bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: metricsLimitViews } = defineLimits({
  connectionsMax: limit(64, 'connections', 'to the metrics server at once; beyond it the idlest makes room'),
  requestsPerConnectionMax: limit(100, 'requests', 'to the metrics server over one connection'),
  connectionMsMax: limit(
    60_000,
    'ms',
    'after which the next answer of the metrics server is the last of its connection',
  ),
  headersMsMax: limit(5_000, 'ms', 'for a client of the metrics server to say what it wants'),
  answerMsMax: limit(10_000, 'ms', 'for it to ask and to take the answer'),
  idleMsMax: limit(5_000, 'ms', 'for which a connection to the metrics server is kept for the next request'),
  headerBytesMax: limit(8_192, 'bytes', 'of the headers of a request to the metrics server'),
  // So a tenth of this process's time at most goes into it, however many ask.
  reuseFactor: limit(9, 'times', 'what rendering the metrics took, for which the rendering is given to others as well'),
  reuseMsMax: limit(1_000, 'ms', 'for which a rendering of the metrics is given to others, at most'),
});
