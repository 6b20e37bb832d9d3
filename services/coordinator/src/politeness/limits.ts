/** What politeness towards targets bounds, units in the names. */
import { defineLimits, limit } from '@regatta/kernel';

export const { limits, views: politenessLimitViews } = defineLimits({
  inFlightSettableMax: limit(65_536, 'tasks', 'the most that --max-in-flight-per-target may say'),
  ratePerSecondSettableMin: limit(0.001, 'tasks a second', 'the least that --max-rate-per-target may say'),
  ratePerSecondSettableMax: limit(1_000_000, 'tasks a second', 'the most that --max-rate-per-target may say'),
  gatherMs: limit(1, 'ms', 'for which what nodes say of targets is gathered before permits are given'),
  aheadMs: limit(20, 'ms', 'before its time that a permit under a rate is given'),
  patienceMs: limit(100, 'ms', 'that a node waits for its share of a target before others give of theirs'),
  // Its tasks may go on for a moment, and a node that only lost its connection is back by then.
  lostPermitMs: limit(1_000, 'ms', 'for which the permits of a lost node still count'),
  pauseMsMax: limit(3_600_000, 'ms', 'that a target may ask to be left alone'),
  restingTargetsMax: limit(
    100_000,
    'targets',
    'that nobody talks to and that are remembered for their rate or pause; the oldest are forgotten first',
  ),
  targetsPerNodeMax: limit(131_072, 'targets', 'that the tasks of a node may wait for or talk to'),
  targetCharactersMax: limit(300, 'characters', 'of the name of a target'),
  targetsExplainedMax: limit(5, 'targets', 'that an explanation names before it only counts them'),
});
