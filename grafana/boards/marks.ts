/** What several boards mark on their graphs. */
import { marks } from '../annotations.ts';

export const runs = marks({
  name: 'Runs',
  colour: 'rgba(50, 116, 217, 0.6)',
  expr: 'max by (run, workload, model) (regatta_run_info{model=~"$model"})',
  title: '{{run}}',
  text: '{{workload}} under {{model}}, from its start to its end',
  tags: 'workload,model',
});

export const nodesLost = marks({
  name: 'Nodes lost',
  colour: 'red',
  expr: 'sum(increase(regatta_node_losses_total[15s])) > 0',
  title: 'A node was lost',
  text: 'It fell silent; its work is done again elsewhere',
});

/** By the term: a counter of a coordinator that was started again would stand where it stood. */
export const leaderChanged = marks({
  name: 'Leader changed',
  colour: 'purple',
  expr:
    'max by (instance) (regatta_leadership_term) > on () group_left () ' +
    'max(max_over_time(regatta_leadership_term[15s] offset 15s))',
  title: '{{instance}} leads',
  text: 'This coordinator took over',
});

export const alerts = marks({
  name: 'Alerts',
  colour: 'orange',
  expr: 'ALERTS{alertname=~"Regatta.*", alertstate="firing"}',
  title: '{{alertname}}',
  text: '{{severity}} {{node}} {{instance}}',
  tags: 'severity',
});

export const restarted = marks({
  name: 'Processes restarted',
  colour: 'yellow',
  expr: 'changes(process_start_time_seconds{job=~"regatta-.*"}[15s]) > 0',
  title: '{{instance}} was restarted',
  text: '{{job}} {{node}}',
  tags: 'job',
});
