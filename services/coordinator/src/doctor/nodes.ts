/** Each node, as the coordinator knows it: version, clock, lanes, memory, its way to NATS; or that it is lost. */
import { counted } from '@regatta/kernel';
import { bytes } from '../cli/render/format.ts';
import type { NodeView, RunView } from '../cli/views.ts';
import { judgeClock } from './clocks.ts';
import { about, type Finding } from './finding.ts';
import { coresText, judgeLanes } from './lanes.ts';
import { judgeLost } from './lost-nodes.ts';
import { compareVersions } from './versions.ts';

export interface FleetFacts {
  /** Now, and the same a moment before. */
  readonly nodes: readonly NodeView[];
  readonly before: readonly NodeView[];
  /** Those that were submitted last. */
  readonly runs: readonly RunView[];
  /** Of the coordinator. */
  readonly version: string;
  /** Its clock, Unix time. */
  readonly nowMs: number;
}

export function judgeNodes({ nodes, before, runs, version, nowMs }: FleetFacts): Finding[] {
  const connected = connectedOf(nodes);
  const lost = judgeLost(nodes, nowMs);
  if (connected.length === 0) {
    const mend = 'start one on each host that shall work: regatta-node-agent --coordinator HOST:PORT';
    const none = lost.length === 0 ? 'none has joined' : 'none is connected now';
    return [about('nodes', 'nodes').warning(none, mend), ...lost];
  }
  const throttled = (node: NodeView): number =>
    node.throttledMs -
    (before.find(({ id, pid }) => id === node.id && pid === node.pid)?.throttledMs ?? node.throttledMs);
  const found = connected.flatMap((node) => [
    judgeVersion(node, version),
    clockOf(node),
    judgeLanes(node, runs, throttled(node)),
    judgeMemory(node),
    ...judgeQueue(node),
  ]);
  return [...found, ...judgeSharing(connected), ...lost];
}

export const connectedOf = (nodes: readonly NodeView[]): NodeView[] => nodes.filter(({ state }) => state !== 'lost');

function judgeVersion({ id, version: theirs, protocol, state, runtime }: NodeView, ours: string): Finding {
  const { ok, warning } = about('nodes', id);
  const link = protocol === 0 ? '' : `, link protocol ${protocol}`;
  const what = `${state}, ${theirs} on ${runtime}${link}`;
  if (compareVersions(theirs, ours) !== 'other') return ok(what);
  return warning(`${what}, while the coordinator is ${ours}`, 'use one version of Regatta everywhere');
}

function clockOf({ id, clockOffsetMs, clockRoundTripMs }: NodeView): Finding {
  const name = `${id} clock`;
  if (clockOffsetMs === null) return about('nodes', name).ok('not known yet: it has told too little of it so far');
  return judgeClock({ group: 'nodes', name }, clockOffsetMs, clockRoundTripMs, "the coordinator's");
}

/** Each core may have a host process at its limit. */
function judgeMemory({ id, cores, memoryBytes, limits }: NodeView): Finding {
  const { ok, warning, wrong } = about('nodes', `${id} memory`);
  const ofHost = limits.find(({ name }) => name === 'hostMemoryBytesMax')?.value;
  if (ofHost === undefined || memoryBytes === 0)
    return ok(`${bytes(memoryBytes)}; it tells no limit of its host processes`);
  const what = `${cores} × ${bytes(ofHost)} for host processes, of ${bytes(memoryBytes)}`;
  const mend = 'give it a smaller --host-memory, or its machine or container more memory';
  if (ofHost > memoryBytes) return wrong(`${what}: one of them may take more than there is`, mend);
  if (ofHost * cores > memoryBytes) return warning(`${what}: together they may take more than there is`, mend);
  return ok(what);
}

function judgeQueue({ id, queueComplaint }: NodeView): Finding[] {
  if (queueComplaint === '') return [];
  const mend = 'make NATS reachable from that host, and give the node-agent its --nats and credentials';
  return [
    about('nodes', `${id} NATS`).wrong(
      `takes no chunks from queues: ${queueComplaint.replace(/; trying on$/, '')}`,
      mend,
    ),
  ];
}

/** Nodes on the same cores measure each other. */
function judgeSharing(nodes: readonly NodeView[]): Finding[] {
  const machines = Map.groupBy(
    nodes.filter(({ machine }) => machine !== ''),
    ({ machine }) => machine,
  );
  return [...machines.values()].flatMap((sharers) => {
    const cores = sharers.reduce((sum, node) => sum + node.cores, 0);
    const quota = Math.max(...sharers.map((node) => node.quota));
    if (sharers.length < 2 || cores <= Math.max(1, quota)) return [];
    const who = sharers.map(({ id }) => id).join(' and ');
    const what = `${who} share ${coresText(quota)} and work with ${counted(cores, 'lane')}`;
    return [
      about('nodes', 'sharing').warning(what, 'give each a part of them by --cores, or a quota; or run one a machine'),
    ];
  });
}
