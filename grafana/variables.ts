/**
 * What one chooses at the top of a board. All boards have `datasource`, `node` and `model`, so that a choice travels along
 * links; where no query of a board asks for one it is hidden, as it would do nothing.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableHide,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './query.ts';

/** Without a type in the builder's own: where a variable takes its values from, as both old and new editors read it. */
const labelValues = (metric: string, label: string) => ({
  query: `label_values(${metric}, ${label})`,
  refId: 'PrometheusVariableQueryEditor-VariableQuery',
  qryType: 1,
});

export const datasource = (): Builder<VariableModel> =>
  new DatasourceVariableBuilder('datasource')
    .label('Prometheus')
    .description('The Prometheus that scrapes Regatta')
    .type('prometheus')
    .current({ selected: true, text: 'Regatta', value: 'regatta-prometheus' });

/** Several at once, or all. Series that have no such label are there as long as all are chosen. */
export const several = (name: string, label: string, metric: string, hidden: boolean): Builder<VariableModel> =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(`Which ${label.toLowerCase()} to look at`)
    .datasource(DATASOURCE)
    .query(labelValues(metric, name))
    .hide(hidden ? VariableHide.HideVariable : VariableHide.DontHide)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc);

export const one = (name: string, label: string, metric: string): Builder<VariableModel> =>
  new QueryVariableBuilder(name)
    .label(label)
    .description(`Which ${label.toLowerCase()} to look at: those that went on in the time that is shown`)
    .datasource(DATASOURCE)
    .query(labelValues(metric, name))
    .multi(false)
    .includeAll(false)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalDesc);
