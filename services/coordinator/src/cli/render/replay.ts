/** What came of living a run's recorded events again, in words. */

import { counted } from '@regatta/kernel';
import type { ReplayView } from '../views.ts';
import { whole } from './format.ts';

export function replayText(runId: string, replay: ReplayView): string {
  const { events, eventsBefore, effects, digest, identical, difference, ended } = replay;
  const lived = `${counted(events, 'event')} of the journal lived again, after ${whole(eventsBefore)} before it`;
  if (!identical) return `${runId}: DIFFERENT, ${lived}\n  the first that differs: ${difference}`;
  const far = ended ? '' : '\n  it has not ended: that is as far as it is';
  const same = `${counted(effects, 'effect')}, digest ${digest.toString(16).padStart(8, '0')}`;
  return `${runId}: identical, ${lived}\n  ${same}${far}`;
}
