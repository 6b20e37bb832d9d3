/**
 * Queries of panels. Each carries its legend: Grafana's own, the whole series name, is unreadable.
 * `$node` and `$model` are several values at once, so selectors match them with `=~`.
 */
import { DataqueryBuilder, type PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

/** What Grafana puts a value in for, when it shows the board. */
export const filledIn = (name: string): string => `$\{${name}}`;

/** The variable that every board has, rather than one server: a board is looked at through any Prometheus. */
export const DATASOURCE = { type: 'prometheus', uid: filledIn('datasource') };

/** Four times the scrape interval at least, whatever the zoom, so that a rate never falls between two samples. */
const WINDOW = '$__rate_interval';

export interface Query {
  readonly expr: string;
  readonly legend: string;
  /** One value, of now, as a row of a table; a range otherwise. */
  readonly instant?: boolean;
  /** Points of single observations, with the run's id: of histograms. */
  readonly exemplars?: boolean;
}

export const query = (expr: string, legend: string): Query => ({ expr, legend });

/** How often a second. @param by labels that stay, `node` or `model,transport`; none: one line */
export const rate = (metric: string, by: string, legend: string): Query =>
  query(sumBy(by, `rate(${metric}[${WINDOW}])`), legend);

/** Three lines of a histogram: its middle, its slow tenth and its slow hundredth. @param selector with its filter in braces */
export const quantiles = (selector: string): readonly Query[] =>
  [0.5, 0.9, 0.99].map((q) => ({ ...quantile(q, selector, ''), legend: `p${q * 100}`, exemplars: q === 0.99 }));

export const quantile = (q: number, selector: string, by: string, legend = ''): Query => {
  const labels = ['le', by].filter((label) => label !== '').join(', ');
  return query(`histogram_quantile(${q}, ${sumBy(labels, `rate(${bucketsOf(selector)}[${WINDOW}])`)})`, legend);
};

/** For a heatmap: how many observations each bucket got. */
export const buckets = (selector: string): Query => ({
  expr: sumBy('le', `increase(${bucketsOf(selector)}[${WINDOW}])`),
  legend: '{{le}}',
  exemplars: true,
});

const sumBy = (labels: string, expr: string): string =>
  labels === '' ? `sum(${expr})` : `sum by (${labels}) (${expr})`;

/** Nothing has happened yet is an honest zero, where a counter that was never touched has no series. */
export const orZero = (expr: string): string => `${expr} or vector(0)`;

const bucketsOf = (selector: string): string => selector.replace(/^\w+/, '$&_bucket');

/** @param format of the answer, as the panel wants it */
export function target(query: Query, refId: string, format: PromQueryFormat): DataqueryBuilder {
  const built = new DataqueryBuilder()
    .datasource(DATASOURCE)
    .refId(refId)
    .expr(query.expr)
    .legendFormat(query.legend)
    .format(format)
    .exemplar(query.exemplars ?? false);
  return query.instant ? built.instant() : built.range();
}
