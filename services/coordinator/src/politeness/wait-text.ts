/** What some tasks wait for, in words. */
import type { TargetWait } from './book.ts';

export function waitText({ target, tasks, why }: TargetWait): string {
  const who = tasks === 1 ? '1 task waits' : `${tasks} tasks wait`;
  return `${who} for ${target}: ${whyText(why)}`;
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
