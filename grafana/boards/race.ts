/** The models side by side. A race runs them one after another, so bars compare what each did while it ran. */
import { board, row } from '../board.ts';
import { UIDS } from '../links.ts';
import { bars } from '../panels/bars.ts';
import { graph } from '../panels/graph.ts';
import { table } from '../panels/table.ts';
import { type Query, quantile, query, rate } from '../query.ts';
import { warnFrom } from '../thresholds.ts';
import * as marked from './marks.ts';

/**
 * How much a counter rose over the time that is shown, exactly: `increase` extrapolates, and misses what a series had when
 * it was first seen, which of a short run is all. It stands in where a coordinator was started again and counts from 0.
 */
function grown(metric: string, matchers = ''): string {
  const selector = `${metric}{model=~"$model"${matchers}}`;
  const now = `sum by (model) (${selector})`;
  const before = `(sum by (model) (${selector} offset $__range) or 0 * ${now})`;
  return `(${now} - ${before} >= 0 or sum by (model) (increase(${selector}[$__range])))`;
}

const per = (amount: string, count: string): string => `${amount} / (${count} > 0)`;

/** Of the end of the time shown, which is all that a bar needs. */
const atLast = (expr: string): Query => ({ ...query(expr, '{{model}}'), instant: true });

/** All models are known from the start, at 0. */
const RAN = `(${grown('regatta_runs_total')} > 0)`;
const ofThose = (amount: string): string => `${amount} and on (model) ${RAN}`;

const TASKS = grown('regatta_tasks_total', ', outcome="succeeded"');

const finish = row(
  'Over all of the time shown',
  8,
  bars({
    title: 'Throughput',
    description:
      'Tasks that succeeded for each second that runs under this model went on, whether or not other models ran at the same ' +
      'time: the longest bar won. `regatta race` says by how much, and whether the difference means anything.',
    unit: 'si:tasks/s',
    width: 8,
    queries: [atLast(per(TASKS, grown('regatta_run_duration_seconds_sum')))],
  }),
  bars({
    title: 'A run takes',
    description: 'Mean time from the submission of a run to its end.',
    unit: 's',
    width: 8,
    queries: [atLast(per(grown('regatta_run_duration_seconds_sum'), grown('regatta_run_duration_seconds_count')))],
  }),
  bars({
    title: 'CPU for each task',
    description:
      'CPU time of the lanes for one task that succeeded. More than another model needs is what sharing costs.',
    unit: 's',
    width: 8,
    queries: [atLast(per(grown('regatta_task_cpu_seconds_total'), TASKS))],
  }),
  bars({
    title: 'At work while it runs',
    description:
      'CPU time of tasks for each second that they took. Near 1 the work is computing, and more lanes than cores cannot ' +
      'help; near 0 it is waiting, and more tasks in flight can.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    queries: [atLast(per(grown('regatta_task_cpu_seconds_total'), grown('regatta_task_duration_seconds_sum')))],
  }),
  bars({
    title: 'Memory',
    description: 'The most that one run had: the largest resident memory of each of its host processes, added up.',
    unit: 'bytes',
    width: 8,
    calc: 'max',
    queries: [
      query(
        'max by (model) (regatta_run_host_rss_bytes * on (run) group_left (model) ' +
          'max by (run, model) (regatta_run_info{model=~"$model"}))',
        '{{model}}',
      ),
    ],
  }),
  table({
    title: 'What was run',
    description: 'Runs and tasks that ended under each model, and how many did not succeed: those make a race invalid.',
    unit: 'short',
    width: 8,
    decimals: 0,
    queries: [
      query(RAN, 'runs'),
      query(ofThose(grown('regatta_tasks_total')), 'tasks'),
      query(ofThose(grown('regatta_tasks_total', ', outcome!="succeeded"')), 'failed'),
    ],
    columns: {
      model: { heading: 'Model' },
      runs: { heading: 'Runs' },
      tasks: { heading: 'Tasks' },
      failed: { heading: 'Not succeeded' },
    },
  }),
);

const course = row(
  'Over time',
  8,
  graph({
    title: 'Throughput',
    description: 'Tasks that ended each second.',
    unit: 'si:tasks/s',
    width: 8,
    queries: [rate('regatta_tasks_total{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'Cores at work',
    description: 'Cores that the lanes kept busy, over all nodes.',
    unit: 'suffix:cores',
    width: 8,
    queries: [rate('regatta_task_cpu_seconds_total{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'Memory',
    description: 'Of the runs that go on: the largest resident memory of each host process, added up.',
    unit: 'bytes',
    width: 8,
    queries: [
      query(
        'sum by (model) (regatta_run_host_rss_bytes * on (run) group_left (model) ' +
          'max by (run, model) (regatta_run_info{model=~"$model"}))',
        '{{model}}',
      ),
    ],
  }),
  graph({
    title: 'A task takes, at the middle',
    description: 'Half of the tasks take no longer.',
    unit: 's',
    width: 8,
    logarithmic: true,
    queries: [quantile(0.5, 'regatta_task_duration_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'A slow task takes',
    description: 'One in a hundred takes longer. Far above the middle: lanes that share a core, or tasks that differ.',
    unit: 's',
    width: 8,
    logarithmic: true,
    queries: [quantile(0.99, 'regatta_task_duration_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'Event loop blocked',
    description:
      'For how long the event loop beside the work was blocked at a time: that long would a user interface freeze that ran ' +
      'there. The worst hundredth of the reports.',
    unit: 's',
    width: 8,
    logarithmic: true,
    thresholds: warnFrom(0.1),
    queries: [quantile(0.99, 'regatta_work_stall_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
);

const cost = row(
  'What it costs besides',
  8,
  graph({
    title: 'Waiting for a lane',
    description:
      'How long chunks that have to wait do so on their node; one in ten longer. Those sent ahead wait by design.',
    unit: 's',
    width: 6,
    logarithmic: true,
    queries: [quantile(0.9, 'regatta_chunk_wait_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'On the way',
    description: 'How long a chunk is between coordinator and node, there and back; one in ten longer.',
    unit: 's',
    width: 6,
    logarithmic: true,
    queries: [quantile(0.9, 'regatta_chunk_dispatch_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'Encoding and decoding',
    description: 'Time to encode results and decode inputs, for each report; one in ten longer.',
    unit: 's',
    width: 6,
    logarithmic: true,
    queries: [quantile(0.9, 'regatta_serialization_seconds{model=~"$model"}', 'model', '{{model}}')],
  }),
  graph({
    title: 'Results',
    description: 'Bytes of results a second, as encoded.',
    unit: 'Bps',
    width: 6,
    queries: [rate('regatta_result_bytes_total{model=~"$model"}', 'model', '{{model}}')],
  }),
);

export const race = board({
  uid: UIDS.race,
  title: 'Race',
  description:
    'The models side by side: how fast, at what cost in CPU, memory and waiting, and how long they freeze a loop.',
  rows: [finish, course, cost],
  annotations: [marked.runs, marked.nodesLost],
});
