/** What reached the local target, in a line. */

import { counted } from '@regatta/kernel';
import type { TargetStats } from '@regatta/workloads/target';
import { whole } from './format.ts';

export function targetText({ requests, inFlightMax, perSecondMax, statuses, cutShort }: TargetStats): string {
  const answers = Object.entries(statuses).map(([status, count]) => `${status}: ${whole(count)}`);
  const broken = cutShort > 0 ? [`cut short: ${whole(cutShort)}`] : [];
  const most = `at most ${whole(inFlightMax)} in flight and ${whole(perSecondMax)} in a second`;
  return [`${counted(requests, 'request')}, ${most}`, ...answers, ...broken].join('; ');
}
