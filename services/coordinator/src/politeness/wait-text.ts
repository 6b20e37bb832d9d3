/** What some tasks wait for, in words. */
import { counted } from '@regatta/kernel';
import type { TargetWait } from './book.ts';

export function waitText({ target, tasks, why }: TargetWait): string {
  return `${counted(tasks, 'task waits', 'tasks wait')} for ${target}: ${whyText(why)}`;
}

function whyText(why: TargetWait['why']): string {
  switch (why.kind) {
    case 'inFlight':
      return `at most ${why.max} in flight`;
    case 'rate':
      return `at most ${why.perSecond}/s`;
    case 'paused':
      return `it asked to be left alone for ${Math.ceil(why.ms / 100) / 10} s more`;
  }
}
