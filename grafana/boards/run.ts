/** One run: how far is it, who does it, who holds it up? Its own figures are there only while it goes on. */

import { board, row } from '../board.ts';
import { toNode, UIDS } from '../links.ts';
import { bars } from '../panels/bars.ts';
import { graph } from '../panels/graph.ts';
import { heatmap } from '../panels/heatmap.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { timeline } from '../panels/timeline.ts';
import { buckets, quantile, query } from '../query.ts';
import { badFrom, type Thresholds, warnFrom } from '../thresholds.ts';
import { one } from '../variables.ts';
import * as marked from './marks.ts';

const tasks = (states: string): string => `sum(regatta_run_tasks{run="$run", state=~"${states}"})`;

const ENDED = 'succeeded|failed|cancelled';
const LEFT = 'pending|in-flight';

/** A run's id is no label of histograms: theirs are of all runs that share its model and transport. */
const OF_ITS_KIND = '* on (model, transport) group_left () max by (model, transport) (regatta_run_info{run="$run"})';
const SHARED =
  'Of all runs that go on under the same model and transport: of this one alone, where it is the only one.';

const slow: Thresholds = [
  { value: null, color: 'text' },
  { value: 0.001, color: 'orange' },
  { value: 0.5, color: 'green' },
];

const PACE =
  'sum by (node) (deriv(regatta_run_node_tasks{run="$run", node=~"$node"}[$__rate_interval]) > 0 or ' +
  '0 * regatta_run_node_tasks{run="$run", node=~"$node"})';

const progress = row(
  'How far it is',
  4,
  stat({
    title: 'Done',
    description: 'Of its tasks, the share that has ended, whatever the end.',
    unit: 'percentunit',
    width: 3,
    decimals: 1,
    queries: [query(`${tasks(ENDED)} / (sum(regatta_run_tasks{run="$run"}) > 0)`, 'done')],
  }),
  stat({
    title: 'Tasks left',
    description: 'Tasks that wait, and tasks that nodes hold.',
    unit: 'short',
    width: 3,
    queries: [query(tasks(LEFT), 'left')],
  }),
  stat({
    title: 'Going on for',
    description: 'Since it was submitted.',
    unit: 's',
    width: 3,
    decimals: 0,
    queries: [query('time() - max(regatta_run_submitted_timestamp_seconds{run="$run"})', 'age')],
  }),
  stat({
    title: 'Time left, about',
    description: 'At the pace of the last minute. A run that gets nowhere has none; `regatta explain RUN` says why.',
    unit: 's',
    width: 3,
    decimals: 0,
    noValue: 'unknown',
    queries: [query(`${tasks(LEFT)} / (sum(deriv(regatta_run_tasks{run="$run", state=~"${ENDED}"}[1m])) > 0)`, 'left')],
  }),
  stat({
    title: 'Failed',
    description: 'Tasks that failed for good. `regatta show RUN` has their causes.',
    unit: 'short',
    width: 3,
    thresholds: badFrom(1),
    queries: [query(tasks('failed'), 'failed')],
  }),
  stat({
    title: 'Tried again',
    description: 'Tasks that failed and got another try.',
    unit: 'short',
    width: 3,
    thresholds: warnFrom(1),
    queries: [query('sum(regatta_run_retries{run="$run"})', 'retries')],
  }),
  stat({
    title: 'CPU time',
    description: 'That the lanes spent on its tasks so far, of all nodes together.',
    unit: 's',
    width: 3,
    queries: [query('sum(regatta_run_cpu_seconds{run="$run"})', 'CPU')],
  }),
  stat({
    title: 'Memory',
    description: 'The largest resident memory of each of its host processes, added up.',
    unit: 'bytes',
    width: 3,
    queries: [query('sum(regatta_run_host_rss_bytes{run="$run"})', 'memory')],
  }),
);

const what = row(
  'What it is',
  3,
  table({
    title: 'The run',
    description: 'Its workload, under which model it runs, how its chunks reach nodes, and how their sizes are chosen.',
    unit: 'short',
    width: 24,
    noValue: 'It has ended: choose a time when it went on.',
    queries: [query('max by (run, workload, model, transport, policy) (regatta_run_info{run="$run"})', 'info')],
    columns: {
      run: { heading: 'Run' },
      workload: { heading: 'Workload' },
      model: { heading: 'Model' },
      transport: { heading: 'Transport' },
      policy: { heading: 'Policy' },
    },
  }),
);

const course = row(
  'Its course',
  8,
  graph({
    title: 'Its tasks',
    description: 'All its tasks, by what has become of them: green grows until nothing else is left.',
    unit: 'short',
    width: 12,
    stacked: true,
    queries: [query('sum by (state) (regatta_run_tasks{run="$run"})', '{{state}}')],
  }),
  graph({
    title: 'Pace',
    description: 'Tasks that each node ends a second.',
    unit: 'si:tasks/s',
    width: 12,
    stacked: true,
    leadsTo: [toNode()],
    queries: [query(PACE, '{{node}}')],
  }),
  timeline({
    title: 'Nodes at work on it',
    description:
      'Each node beside the fastest of that moment: green at least half as fast, orange slower, grey not at all. A node ' +
      'that stays orange is a straggler; one that is grey at the end has run out of work.',
    unit: 'percentunit',
    width: 24,
    decimals: 0,
    thresholds: slow,
    leadsTo: [toNode()],
    queries: [query(`${PACE} / scalar(max(${PACE}) > 0)`, '{{node}}')],
  }),
);

const stragglers = row(
  'Stragglers',
  8,
  bars({
    title: 'Tasks by node',
    description: 'How many of its tasks each node has ended.',
    unit: 'short',
    width: 8,
    leadsTo: [toNode()],
    queries: [query('max by (node) (regatta_run_node_tasks{run="$run", node=~"$node"})', '{{node}}')],
  }),
  bars({
    title: 'Its longest task',
    description:
      'How long it took, and the node where it ran. A run lasts at least that long, however many nodes it has.',
    unit: 's',
    width: 8,
    leadsTo: [toNode()],
    queries: [query('max by (node) (regatta_run_slowest_task_seconds{run="$run"})', '{{node}}')],
  }),
  graph({
    title: 'Lanes of the nodes',
    description: 'Of the lanes of each node, the share that has work, of this run or another.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    leadsTo: [toNode()],
    queries: [query('node:regatta_lanes:utilisation{node=~"$node"}', '{{node}}')],
  }),
);

const times = row(
  'Where the time goes',
  8,
  heatmap({
    title: 'How long its tasks take',
    description: `How many tasks took how long; two bands are two kinds of tasks, or of nodes. ${SHARED}`,
    unit: 's',
    width: 12,
    queries: [
      {
        ...buckets('regatta_task_duration_seconds'),
        expr: `sum by (le) (increase(regatta_task_duration_seconds_bucket[$__rate_interval]) ${OF_ITS_KIND})`,
      },
    ],
  }),
  graph({
    title: 'Beside the work',
    description:
      'What a chunk (some tasks that are handed out together) costs besides running, for one in ten even more: waiting on ' +
      `its node for a lane, which those sent ahead do by design; the way there and back; encoding and decoding. ${SHARED}`,
    unit: 's',
    width: 12,
    logarithmic: true,
    queries: [
      ['regatta_chunk_wait_seconds', 'waiting for a lane'],
      ['regatta_chunk_dispatch_seconds', 'on the way'],
      ['regatta_serialization_seconds', 'encoding'],
    ].map(([metric, legend]) => {
      const { expr } = quantile(0.9, metric!, '');
      return query(expr.replace(/\]\)/, `]) ${OF_ITS_KIND}`), legend!);
    }),
  }),
);

export const run = board({
  uid: UIDS.run,
  title: 'Run',
  description: 'One run: how far it is, which nodes do it, and what holds it up. Choose it above, by its id.',
  variables: [one('run', 'Run', 'regatta_run_info')],
  rows: [progress, what, course, stragglers, times],
  annotations: [marked.nodesLost, marked.leaderChanged, marked.alerts],
  from: 'now-15m',
});
