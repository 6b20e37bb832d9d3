/** Nodes that went without a word: whoever counts on them should know, though the cluster does without them. */
import { counted } from '@regatta/kernel';
import type { NodeView } from '../cli/views.ts';
import { ago } from './ago.ts';
import { about, type Finding } from './finding.ts';
import { limits } from './limits.ts';

const MEND = 'start it again; where it is gone for good, wait until the coordinator has forgotten it';

/** @param nodes all that are remembered; those that are not lost are passed over. @param nowMs as their `lastSeenMs` */
export function judgeLost(nodes: readonly NodeView[], nowMs: number): Finding[] {
  const lost = nodes.filter(({ state }) => state === 'lost').sort((a, b) => b.lastSeenMs - a.lastSeenMs);
  const rest = lost.length - limits.lostShownMax;
  const found = lost.slice(0, limits.lostShownMax).map((node) => judgeOne(node, nowMs));
  if (rest <= 0) return found;
  const line = counted(rest, 'more is lost, last heard before', 'more are lost, last heard before');
  return [...found, about('nodes', 'lost').warning(line, 'regatta nodes names them')];
}

function judgeOne({ id, hostname, address, lastSeenMs }: NodeView, nowMs: number): Finding {
  const where = hostname === '' ? address : `${address} (${hostname})`;
  return about('nodes', id).warning(`lost; last heard ${ago(lastSeenMs, nowMs)}, from ${where}`, MEND);
}
