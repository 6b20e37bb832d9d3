/** How many may be at the gRPC server's door, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: doorLimitViews } = defineLimits({
  // Each takes a file descriptor. Nodes that all come at once show their token one after another.
  strangersMax: limit(
    1_024,
    'connections',
    'that were let in for no call yet; beyond it the one that has been there for longest is closed',
  ),
  connectionsMax: limit(
    16_384,
    'connections',
    'of nodes and clients; beyond it none is taken but in place of a stranger',
  ),
  strangersLogMs: limit(10_000, 'ms', 'between two lines in the log about connections that were closed to make room'),
});
