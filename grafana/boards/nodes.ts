/** Nodes: utilisation, saturation, errors. Which one is the slow one, and why? */
import { board, row } from '../board.ts';
import { UIDS } from '../links.ts';
import { graph } from '../panels/graph.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { timeline } from '../panels/timeline.ts';
import { orZero, quantile, query, rate } from '../query.ts';
import { atLeast, occupancy, rising, warnFrom } from '../thresholds.ts';
import * as marked from './marks.ts';

const NODE = '{node=~"$node"}';

const now = row(
  'Now',
  4,
  stat({
    title: 'Alive',
    description: 'Nodes that are connected and take work.',
    unit: 'none',
    width: 4,
    thresholds: atLeast(1),
    queries: [query(orZero('sum(regatta_nodes{state="alive"})'), 'alive')],
  }),
  stat({
    title: 'Lost',
    description:
      'Nodes that fell silent in the time that is shown, each time counted. Their work was done again elsewhere.',
    unit: 'none',
    width: 4,
    decimals: 0,
    thresholds: warnFrom(0.5),
    queries: [query('sum(increase(regatta_node_losses_total[$__range]))', 'lost')],
  }),
  stat({
    title: 'Lanes busy',
    description: 'Of the lanes of these nodes, the share that has work.',
    unit: 'percentunit',
    width: 4,
    queries: [
      query(
        `sum(max by (node) (regatta_node_lanes_busy${NODE})) / (sum(max by (node) (regatta_node_lanes${NODE})) > 0)`,
        'busy',
      ),
    ],
  }),
  stat({
    title: 'Cores at work',
    description: 'Of the cores of these nodes, the share that lanes keep busy.',
    unit: 'percentunit',
    width: 4,
    queries: [query(`avg(node:regatta_cpu:utilisation${NODE})`, 'busy')],
  }),
  stat({
    title: 'Held back',
    description:
      'The node that its CPU quota holds back most, as a share of the time. It is slower than its cores say.',
    unit: 'percentunit',
    width: 4,
    thresholds: rising(0.01, 0.1),
    queries: [query(`max(node:regatta_throttled:ratio_rate1m${NODE})`, 'throttled')],
  }),
  stat({
    title: 'Longest silence',
    description: 'How long ago the node was heard that has been silent longest. They say something twice a second.',
    unit: 's',
    width: 4,
    thresholds: rising(2, 5),
    queries: [query(`max(regatta_node_silence_seconds${NODE})`, 'silent')],
  }),
);

const who = row(
  'Who they are',
  8,
  table({
    title: 'Nodes',
    description:
      'Each connected node. Where the quota is below the cores, a container is allowed less than its host has, and lanes ' +
      'are counted by the quota.',
    unit: 'short',
    width: 24,
    queries: [
      query(`max by (node, version, runtime, machine, state) (regatta_node_info${NODE})`, 'info'),
      query(`max by (node) (regatta_node_cores${NODE})`, 'cores'),
      query(`max by (node) (regatta_node_quota_cores${NODE})`, 'quota'),
      query(`max by (node) (regatta_agent_os_cores${NODE})`, 'host'),
      query(`max by (node) (regatta_node_lanes${NODE})`, 'lanes'),
      query(`max by (node) (regatta_node_chunks${NODE})`, 'chunks'),
      query(`max by (node) (regatta_node_hosts${NODE})`, 'hosts'),
      query(`max by (node) (regatta_agent_runs_open${NODE})`, 'runs'),
      query(`max by (node) (regatta_agent_memory_limit_bytes${NODE})`, 'limit'),
      query(`max by (node) (regatta_agent_host_rss_limit_bytes${NODE})`, 'host limit'),
    ],
    columns: {
      node: { heading: 'Node' },
      state: { heading: 'State' },
      machine: { heading: 'Machine' },
      runtime: { heading: 'Runtime' },
      version: { heading: 'Version' },
      cores: { heading: 'Cores it uses' },
      quota: { heading: 'CPU quota, cores' },
      host: { heading: 'Cores of the host' },
      lanes: { heading: 'Lanes' },
      chunks: { heading: 'Chunks' },
      hosts: { heading: 'Host processes' },
      runs: { heading: 'Runs' },
      limit: { heading: 'Memory', unit: 'bytes' },
      'host limit': { heading: 'Of one process at most', unit: 'bytes' },
    },
  }),
);

const utilisation = row(
  'Utilisation: how much of it works',
  8,
  timeline({
    title: 'Lanes',
    description:
      'Of the lanes of each node, the share that has work: grey none, the greener the more. Grey beside green is work that ' +
      'does not reach a node.',
    unit: 'percentunit',
    width: 24,
    decimals: 0,
    thresholds: occupancy,
    queries: [query(`node:regatta_lanes:utilisation${NODE}`, '{{node}}')],
  }),
  graph({
    title: 'Cores and lanes',
    description:
      'Of the cores that a node may use, the share that its lanes keep busy, and of its lanes the share of the time that ' +
      'they are at work. Computing keeps both busy, waiting for others only lanes.',
    unit: 'percentunit',
    width: 8,
    queries: [
      query(`node:regatta_cpu:utilisation${NODE}`, '{{node}}, cores'),
      query(
        // As many as there were meanwhile: a wide run that has just ended leaves more work behind than there are lanes now.
        `clamp_max(sum by (node) (rate(regatta_agent_lane_seconds_total${NODE}[$__rate_interval])) / ` +
          `(max by (node) (avg_over_time(regatta_agent_lanes${NODE}[$__rate_interval])) > 0), 1)`,
        '{{node}}, lanes',
      ),
    ],
  }),
  graph({
    title: 'Memory',
    description: 'Resident memory of all processes of a node: the agent and its host processes.',
    unit: 'bytes',
    width: 8,
    queries: [
      query(
        `max by (node) (regatta_agent_hosts_rss_bytes${NODE}) + max by (node) (regatta_node_rss_bytes${NODE})`,
        '{{node}}',
      ),
    ],
  }),
  graph({
    title: 'Tasks',
    description: 'Tasks that ended on each node, each second.',
    unit: 'si:tasks/s',
    width: 8,
    queries: [rate(`regatta_agent_tasks_total${NODE}`, 'node', '{{node}}')],
  }),
);

const saturation = row(
  'Saturation: what waits',
  8,
  graph({
    title: 'Held back by a CPU quota',
    description: 'Of each second, the part in which the node might not compute though it wanted to.',
    unit: 'percentunit',
    width: 8,
    thresholds: rising(0.01, 0.1),
    queries: [rate(`regatta_agent_throttled_seconds_total${NODE}`, 'node', '{{node}}')],
  }),
  graph({
    title: 'Chunks that wait',
    description:
      'Chunks on a node that no lane has yet. A few are sent ahead by design; many are a node that falls behind.',
    unit: 'short',
    width: 8,
    queries: [query(`max by (node) (regatta_agent_chunks_waiting${NODE})`, '{{node}}')],
  }),
  graph({
    title: 'How long they wait',
    description: 'Of chunks that have to wait: time on their node until a lane takes them; one in ten waits longer.',
    unit: 's',
    width: 8,
    logarithmic: true,
    queries: [quantile(0.9, `regatta_agent_chunk_wait_seconds${NODE}`, 'node', '{{node}}')],
  }),
  graph({
    title: 'Results that wait to get away',
    description:
      'Bytes that a node has not been able to send, or has no acknowledgement of, by stream and by queue. While it holds too ' +
      'much it begins nothing.',
    unit: 'bytes',
    width: 8,
    queries: [
      query(`max by (node) (regatta_agent_link_pending_bytes${NODE})`, '{{node}}, stream'),
      query(`max by (node) (regatta_agent_queue_pending_bytes${NODE})`, '{{node}}, queue'),
    ],
  }),
  graph({
    title: 'Event loop of the agent',
    description: 'For how long it is blocked, one time in a hundred. Blocked for seconds, a node counts as lost.',
    unit: 's',
    width: 8,
    logarithmic: true,
    thresholds: warnFrom(0.25),
    queries: [
      query('max by (node) (nodejs_eventloop_lag_p99_seconds{job="regatta-nodes", node=~"$node"})', '{{node}}'),
    ],
  }),
  graph({
    title: 'Host processes',
    description:
      'Processes that run tasks, of all these nodes: starting, idle, busy. Starts that do not end are a loop.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [query(`sum by (state) (regatta_agent_hosts${NODE})`, '{{state}}')],
  }),
);

const errors = row(
  'Errors: what broke',
  8,
  graph({
    title: 'Host processes come and go',
    description:
      'How many were started, and why host processes ended. worn, idle and order are their way of life; crashed, memory and time-limit are tasks that ' +
      'take their process along; not-started is a host short of memory or processes.',
    unit: 'short',
    width: 8,
    queries: [
      query(`sum(increase(regatta_agent_host_starts_total${NODE}[$__rate_interval]))`, 'started'),
      query(`sum by (reason) (increase(regatta_agent_host_ends_total${NODE}[$__rate_interval]))`, '{{reason}}'),
    ],
  }),
  graph({
    title: 'Chunks that did not end well',
    description:
      'Attempts that were stopped (a run was cancelled, or its work handed back) or lost with their process.',
    unit: 'short',
    width: 8,
    queries: [
      query(
        orZero(`sum(increase(regatta_agent_chunks_total{outcome="stopped", node=~"$node"}[$__rate_interval]))`),
        'stopped',
      ),
      query(
        orZero(`sum(increase(regatta_agent_chunks_total{outcome="lost", node=~"$node"}[$__rate_interval]))`),
        'lost',
      ),
    ],
  }),
  timeline({
    title: 'Connected',
    description: 'Whether each node has joined a coordinator. A gap is a node that nothing is heard of.',
    unit: 'none',
    width: 8,
    thresholds: atLeast(1),
    names: { 0: 'cut off', 1: 'joined' },
    queries: [query(`max by (node) (regatta_agent_link_up${NODE})`, '{{node}}')],
  }),
);

export const nodes = board({
  uid: UIDS.nodes,
  title: 'Nodes',
  description: 'Each node: how much of it works, what waits there, and what broke.',
  rows: [now, who, utilisation, saturation, errors],
  annotations: [marked.runs, marked.nodesLost, marked.restarted, marked.alerts],
});
