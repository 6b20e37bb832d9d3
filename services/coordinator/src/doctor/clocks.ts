/** Two clocks that are not together: how bad that is. Journals, logs and dashboards are read by time. */
import { milliseconds } from '../cli/render/format.ts';
import { about, type Finding, type Group } from './finding.ts';
import { limits } from './limits.ts';

const MEND = 'let both hosts keep time by NTP (chrony, systemd-timesyncd)';

/**
 * @param offsetMs how far it is ahead; negative where it is behind
 * @param roundTripMs within half of which that is known
 * @param whose the clock that it is compared with
 */
export function judgeClock(
  { group, name }: { readonly group: Group; readonly name: string },
  offsetMs: number,
  roundTripMs: number,
  whose: string,
): Finding {
  const { ok, warning, wrong } = about(group, name);
  // In doubt for it: a slow way is not a wrong clock.
  const leastMs = Math.max(0, Math.abs(offsetMs) - roundTripMs / 2);
  const size = milliseconds(Math.abs(offsetMs));
  const what = `${size} ${offsetMs < 0 ? 'behind' : 'ahead of'} ${whose}`;
  if (leastMs > limits.clockMsWrong) return wrong(what, MEND);
  if (leastMs > limits.clockMsWarning) return warning(what, MEND);
  return ok(`within ${milliseconds(Math.abs(offsetMs) + roundTripMs / 2)} of ${whose}`);
}
