/** What is going on, and is all well? */

import { board, row } from '../board.ts';
import { toRun, UIDS } from '../links.ts';
import { graph } from '../panels/graph.ts';
import { stat } from '../panels/stat.ts';
import { table } from '../panels/table.ts';
import { orZero, quantiles, query, rate } from '../query.ts';
import { atLeast, badFrom, onlyZero, rising } from '../thresholds.ts';
import * as marked from './marks.ts';

const TASKS = 'model_transport_outcome:regatta_tasks:rate1m{model=~"$model"}';

/** Runs of the models that are chosen. */
const SHOWN = ' and on (run) regatta_run_info{model=~"$model"}';

const now = row(
  'Is all well?',
  4,
  stat({
    title: 'Alerts',
    description:
      'Alerts of Regatta that are firing. Prometheus lists them; docs/OBSERVING.md says what to do about each.',
    unit: 'none',
    width: 3,
    thresholds: badFrom(1),
    queries: [query(orZero('count(ALERTS{alertname=~"Regatta.*", alertstate="firing"})'), 'firing')],
  }),
  stat({
    title: 'Leader',
    description: 'Whether a coordinator leads. Without one nothing is handed out or finished.',
    unit: 'none',
    width: 3,
    thresholds: atLeast(1),
    names: { 0: 'nobody', 1: 'there' },
    queries: [query(orZero('max(regatta_leadership{role="leading"})'), 'leads')],
  }),
  stat({
    title: 'Nodes alive',
    description: 'Nodes that are connected and take work.',
    unit: 'none',
    width: 3,
    thresholds: atLeast(1),
    queries: [query(orZero('sum(regatta_nodes{state="alive"})'), 'alive')],
  }),
  stat({
    title: 'Runs going on',
    description: 'Runs that were submitted and have not ended, those that wait included.',
    unit: 'none',
    width: 3,
    queries: [query(orZero('sum(regatta_runs_active)'), 'runs')],
  }),
  stat({
    title: 'Tasks a second',
    description: 'Tasks that ended, whatever their end, over the last minute.',
    unit: 'si:tasks/s',
    width: 3,
    queries: [query(orZero(`sum(${TASKS})`), 'tasks')],
  }),
  stat({
    title: 'Failing',
    description: 'Of the tasks that ended in the last minute, the share that failed for good.',
    unit: 'percentunit',
    width: 3,
    thresholds: rising(0.01, 0.05),
    queries: [
      query(
        orZero(
          'sum(model_transport_outcome:regatta_tasks:rate1m{model=~"$model", outcome="failed"}) / ' +
            `(sum(${TASKS}) > 0)`,
        ),
        'failed',
      ),
    ],
  }),
  stat({
    title: 'Lanes busy',
    description:
      'Of all lanes of all nodes, the share that has work. A lane is a place where one task can be executing.',
    unit: 'percentunit',
    width: 3,
    queries: [query(orZero('max(regatta_lanes:utilisation)'), 'busy')],
  }),
  stat({
    title: 'Unaccounted tasks',
    description:
      'Tasks submitted less those that ended, wait and run. Anything but 0 is a bug: tasks lost or counted twice.',
    unit: 'none',
    width: 3,
    thresholds: onlyZero,
    queries: [query('sum(abs(regatta_tasks_unaccounted))', 'unaccounted')],
  }),
);

const work = row(
  'Work: rate, errors, duration',
  8,
  graph({
    title: 'Tasks by their end',
    description: 'How many tasks ended each second: succeeded, failed for good, or cancelled with their run.',
    unit: 'si:tasks/s',
    width: 8,
    stacked: true,
    queries: [rate('regatta_tasks_total{model=~"$model"}', 'outcome', '{{outcome}}')],
  }),
  graph({
    title: 'Trouble on the way',
    description:
      'Tasks that are tried again (they failed, or their node was lost), reports that came too late or twice and were ' +
      'ignored, and tasks that were given up because they killed what ran them. The first two are normal where nodes come ' +
      'and go; none of them changes a result.',
    unit: 'si:tasks/s',
    width: 8,
    queries: [
      query(orZero('sum(rate(regatta_task_retries_total{model=~"$model"}[$__rate_interval]))'), 'tried again'),
      query(orZero('sum(rate(regatta_results_ignored_total{model=~"$model"}[$__rate_interval]))'), 'ignored'),
      query(orZero('sum(rate(regatta_poison_tasks_total{model=~"$model"}[$__rate_interval]))'), 'given up'),
      query(
        orZero('sum(rate(regatta_late_failures_total{model=~"$model"}[$__rate_interval]))'),
        'failed after their result',
      ),
    ],
  }),
  graph({
    title: 'How long a task takes',
    description:
      'Wall time of single tasks where they run: half take no longer than p50, one in a hundred longer than p99. Dots are ' +
      'single tasks and lead to their run.',
    unit: 's',
    width: 8,
    logarithmic: true,
    queries: quantiles('regatta_task_duration_seconds{model=~"$model"}'),
  }),
);

const runs = row(
  'Runs',
  8,
  table({
    title: 'Runs going on',
    description: 'Each run that has not ended (the 20 newest). A click on its name leads to its own board.',
    unit: 'short',
    width: 12,
    noValue: 'none',
    queries: [
      query('max by (run, workload, model, transport, policy) (regatta_run_info{model=~"$model"})', 'info'),
      query(`sum by (run) (regatta_run_tasks${SHOWN})`, 'tasks'),
      query(
        `sum by (run) (regatta_run_tasks{state=~"succeeded|failed|cancelled"}${SHOWN}) / (sum by (run) (regatta_run_tasks) > 0)`,
        'done',
      ),
      query(`sum by (run) (regatta_run_tasks{state="failed"}${SHOWN})`, 'failed'),
      query(`time() - max by (run) (regatta_run_submitted_timestamp_seconds${SHOWN})`, 'age'),
    ],
    columns: {
      run: { heading: 'Run', shown: [{ id: 'links', value: [toRun().build()] }] },
      workload: { heading: 'Workload' },
      model: { heading: 'Model' },
      transport: { heading: 'Transport' },
      policy: { heading: 'Policy' },
      tasks: { heading: 'Tasks' },
      done: {
        heading: 'Done',
        unit: 'percentunit',
        shown: [
          { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } },
          { id: 'min', value: 0 },
          { id: 'max', value: 1 },
        ],
      },
      failed: { heading: 'Failed' },
      age: { heading: 'Age', unit: 's' },
    },
  }),
  graph({
    title: 'Runs come and go',
    description:
      'Runs that were submitted, and runs that ended: all tasks succeeded, some failed, or it was cancelled.',
    unit: 'short',
    width: 6,
    queries: [
      query('sum(increase(regatta_runs_submitted_total{model=~"$model"}[$__rate_interval]))', 'submitted'),
      query('sum by (outcome) (increase(regatta_runs_total{model=~"$model"}[$__rate_interval]))', '{{outcome}}'),
    ],
  }),
  graph({
    title: 'How long a run takes',
    description: 'From the submission of a run to its end, waiting included.',
    unit: 's',
    width: 6,
    logarithmic: true,
    queries: quantiles('regatta_run_duration_seconds{model=~"$model"}'),
  }),
);

const where = row(
  'Where it runs',
  8,
  graph({
    title: 'Tasks that wait and that run',
    description: 'Tasks of all runs that no node has yet, and tasks that nodes hold.',
    unit: 'short',
    width: 8,
    stacked: true,
    queries: [
      query('sum(regatta_tasks_in_flight{model=~"$model"})', 'handed out'),
      query('sum(regatta_tasks_pending{model=~"$model"})', 'waiting'),
    ],
  }),
  graph({
    title: 'Lanes',
    description: 'Lanes of all nodes, and how many of them have work. The gap is room for more.',
    unit: 'short',
    width: 8,
    queries: [
      query('sum(max by (node) (regatta_node_lanes_busy{node=~"$node"}))', 'busy'),
      query('sum(max by (node) (regatta_node_lanes{node=~"$node"}))', 'there'),
    ],
  }),
  graph({
    title: 'Nodes',
    description:
      'Nodes by what they do: alive, draining (they finish and take nothing new), drained, awaited after a change of ' +
      'leader, and lost.',
    unit: 'short',
    width: 8,
    stacked: true,
    steps: true,
    queries: [query('max by (state) (regatta_nodes)', '{{state}}')],
  }),
  graph({
    title: 'Chunks',
    description:
      'Attempts at chunks (some tasks that are handed out together) each second: handed out, and how they ended. Lost ones ' +
      'are done again, unless a second node has them. Of runs with --speculate: slow chunks that a second node was given ' +
      'too, and how often that one was first.',
    unit: 'si:chunks/s',
    width: 12,
    queries: [
      rate('regatta_attempts_total{model=~"$model"}', '', 'handed out'),
      rate('regatta_chunks_total{model=~"$model"}', 'outcome', '{{outcome}}'),
      rate('regatta_speculative_copies_total{model=~"$model"}', '', 'second copies'),
      rate('regatta_speculative_copies_won_total{model=~"$model"}', '', 'second copies that were first'),
    ],
  }),
  graph({
    title: 'Nodes come and go',
    description: 'Nodes that joined or came back, that left on purpose, and that were lost: they fell silent.',
    unit: 'short',
    width: 12,
    queries: [
      query('sum(increase(regatta_node_joins_total[$__rate_interval]))', 'joined'),
      query('sum(increase(regatta_node_leaves_total[$__rate_interval]))', 'left'),
      query('sum(increase(regatta_node_losses_total[$__rate_interval]))', 'lost'),
    ],
  }),
);

export const overview = board({
  uid: UIDS.overview,
  title: 'Overview',
  description: 'What is going on in this cluster, and is all well? From here to a run, a node, or the queue.',
  rows: [now, work, runs, where],
  annotations: [marked.runs, marked.nodesLost, marked.leaderChanged, marked.alerts],
});
