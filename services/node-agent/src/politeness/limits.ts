/** What the agent's end of politeness bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: politenessLimitViews } = defineLimits({
  gatherMs: limit(2, 'ms', 'for which what hosts say of their targets is gathered for the coordinator'),
  // The lane that has just given it back asks for the next one a moment later.
  lingerMs: limit(50, 'ms', 'for which a permit that no task needs is kept before it is given back'),
  pauseMsMax: limit(3_600_000, 'ms', 'that a target may ask to be left alone'),
  placesMax: limit(4_096, 'targets', 'that no task talks to and whose pauses are remembered, before they are swept'),
});
