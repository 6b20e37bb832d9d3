/**
 * Rows of labels and values, of now: a query a column. Rows that agree in the labels which their queries share become one,
 * so queries keep only the labels that they are joined by, or that are columns themselves.
 */
import { FieldTextAlignment, TableCellHeight, TableFooterOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { BY_THRESHOLD, dress, type PanelWords, type Unplaced } from './dress.ts';

interface TableWords extends PanelWords {
  /** Of each column, in their order: of a label by its name, of a query by its legend. Other values are not shown. */
  readonly columns: Readonly<Record<string, Column>>;
}

interface Column {
  readonly heading: string;
  /** Where it is not the panel's. */
  readonly unit?: string;
  /** More about how it is shown, as Grafana's overrides are written. */
  readonly shown?: readonly DynamicConfigValue[];
}

export function table(words: TableWords): Unplaced {
  const queries = words.queries.map((query) => ({ ...query, instant: true }));
  const fields = Object.entries(words.columns).map(([name, column]) => ({ field: fieldOf(name, words), ...column }));
  const unnamed = words.queries.map(({ legend }) => legend).filter((legend) => words.columns[legend] === undefined);
  const hidden = ['Time', ...unnamed.map((legend) => fieldOf(legend, words))];
  const built = dress(new PanelBuilder(), { ...words, queries }, BY_THRESHOLD, PromQueryFormat.Table)
    .showHeader(true)
    .cellHeight(TableCellHeight.Sm)
    .align(FieldTextAlignment.Auto)
    .filterable(true)
    .footer(new TableFooterOptionsBuilder().show(false).reducer(['sum']).countRows(false))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
        indexByName: Object.fromEntries(fields.map(({ field }, index) => [field, index])),
        renameByName: Object.fromEntries(fields.map(({ field, heading }) => [field, heading])),
      },
    });
  for (const { heading, unit, shown = [] } of fields) {
    const properties = [...(unit === undefined ? [] : [{ id: 'unit', value: unit }]), ...shown];
    if (properties.length > 0) built.overrideByName(heading, properties);
  }
  return built.build();
}

/** What Grafana calls the column of a query's values: with its letter where there are several. */
function fieldOf(name: string, { queries }: PanelWords): string {
  const index = queries.findIndex(({ legend }) => legend === name);
  if (index < 0) return name;
  return queries.length === 1 ? 'Value' : `Value #${String.fromCharCode('A'.charCodeAt(0) + index)}`;
}
