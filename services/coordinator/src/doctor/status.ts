/** What the coordinator that leads says of its journal, of whom it lets in, and of nodes that it does not. */
import { counted } from '@regatta/kernel';
import type { CoordinatorView, RefusedNodeView } from '../cli/views.ts';
import { ago } from './ago.ts';
import { about, type Finding } from './finding.ts';
import { limits } from './limits.ts';

/** @param nowMs the coordinator's clock, Unix time */
export function judgeStatus(status: CoordinatorView, nowMs: number): Finding[] {
  const shown = status.refusedNodes.slice(0, limits.refusedShownMax);
  return [judgeJournal(status), judgeTokens(status), ...shown.map((node) => judgeRefused(node, nowMs))];
}

function judgeJournal({ journal, natsServers, natsComplaint }: CoordinatorView): Finding {
  const { ok, warning, wrong } = about('coordinator', 'journal');
  if (!journal) {
    return warning('off: runs die with the coordinator', 'give NATS with JetStream: regatta serve --nats HOST:PORT');
  }
  const where = `in NATS at ${natsServers.join(', ')}`;
  if (natsComplaint === '') return ok(where);
  return wrong(
    `${where}, which cannot be used just now: ${natsComplaint.replace(/; trying on$/, '')}`,
    'see NATS below; runs wait until it is back',
  );
}

function judgeTokens({ wantsToken, refusedMissing, refusedWrong }: CoordinatorView): Finding {
  const { ok, warning } = about('coordinator', 'access');
  if (!wantsToken) return ok('no token is asked for');
  const calls = refusedMissing + refusedWrong;
  if (calls === 0) return ok('by token; nobody was refused');
  const refused = `${refusedMissing} without a token, ${refusedWrong} with a wrong one`;
  const mend = "its log has their addresses: give those nodes and people the cluster's token";
  return warning(`by token; ${counted(calls, 'call')} refused since it started, ${refused}`, mend);
}

const MENDS: Readonly<Record<string, string>> = {
  PROTOCOL_VERSION: 'use one version of Regatta everywhere',
  NAME_TAKEN: 'give one of the two another --id',
};

/** At these a node-agent ends: that it has not tried since does not say that anything was mended. */
const ENDS: ReadonlySet<string> = new Set(['PROTOCOL_VERSION']);

function judgeRefused({ nodeId, address, code, message, atMs, times }: RefusedNodeView, nowMs: number): Finding {
  const { warning, wrong } = about('nodes', nodeId === '' ? address : nodeId);
  const often = times === 1 ? '' : `, ${times} times`;
  const mend = MENDS[code] ?? "see that node's log, and the coordinator's";
  const refused = `refused ${ago(atMs, nowMs)}${often}`;
  const why = `from ${address}: ${message}`;
  if (nowMs - atMs <= limits.refusedRecentMs || ENDS.has(code)) return wrong(`${refused}, ${why}`, mend);
  return warning(`${refused}, and not since, ${why}`, `nothing where it was stopped; where it is to join, ${mend}`);
}
