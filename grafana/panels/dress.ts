/**
 * What every panel has, whatever its kind: words, unit, thresholds, queries and the data source. The SDK leaves out what
 * Grafana's editor would fill in; a file has to say it.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type {
  DashboardLink,
  DataSourceRef,
  DynamicConfigValue,
  FieldColor,
  Panel,
  ThresholdsConfig,
  ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { FieldColorBuilder, FieldColorModeId, MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { DATASOURCE, type Query, target } from '../query.ts';
import { configOf, neutral, type Thresholds } from '../thresholds.ts';

export interface PanelWords {
  readonly title: string;
  /** For who does not know Regatta's inside: what is shown, and what to make of it. */
  readonly description: string;
  /** As Grafana names units; see the SDK's `units`. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  readonly thresholds?: Thresholds;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  /** What a value is called: `{ 0: 'stands by' }`. */
  readonly names?: Readonly<Record<string, string>>;
  /** What stands where there is no value. */
  readonly noValue?: string;
  /** Where a click on a value leads. */
  readonly leadsTo?: readonly Builder<DashboardLink>[];
}

/** A panel that has no place yet: its width is in gridPos. */
export type Unplaced = Panel;

/** The methods that all panel builders of the SDK share. */
interface AnyBuilder extends Builder<Panel> {
  title(title: string): this;
  description(description: string): this;
  datasource(datasource: DataSourceRef): this;
  unit(unit: string): this;
  span(width: number): this;
  targets(targets: Builder<Dataquery>[]): this;
  thresholds(thresholds: Builder<ThresholdsConfig>): this;
  colorScheme(color: Builder<FieldColor>): this;
  mappings(mappings: ValueMapping[]): this;
  noValue(text: string): this;
  dataLinks(links: Builder<DashboardLink>[]): this;
  decimals(decimals: number): this;
  min(min: number): this;
  max(max: number): this;
  overrideByName(name: string, properties: DynamicConfigValue[]): this;
}

/** @param colours by thresholds, or one for each series */
export function dress<B extends AnyBuilder>(
  builder: B,
  words: PanelWords,
  colours: FieldColorModeId,
  format = PromQueryFormat.TimeSeries,
): B {
  builder
    .title(words.title)
    .description(words.description)
    .datasource(DATASOURCE)
    .unit(words.unit)
    .span(words.width)
    .targets(words.queries.map((query, index) => target(query, letter(index), format)))
    .thresholds(configOf(words.thresholds ?? neutral))
    .colorScheme(new FieldColorBuilder().mode(colours))
    .mappings(words.names === undefined ? [] : [namesAsMapping(words.names)]);
  if (words.noValue !== undefined) builder.noValue(words.noValue);
  if (words.leadsTo !== undefined) builder.dataLinks([...words.leadsTo]);
  if (words.decimals !== undefined) builder.decimals(words.decimals);
  if (words.min !== undefined) builder.min(words.min);
  if (words.max !== undefined) builder.max(words.max);
  return builder;
}

export const BY_THRESHOLD = FieldColorModeId.Thresholds;
/** The same name has the same colour on every panel, of every board. */
export const BY_NAME = FieldColorModeId.PaletteClassicByName;

/** An end of tasks or runs has its colour wherever it is drawn. */
const MEANING: Readonly<Record<string, string>> = { succeeded: 'green', failed: 'red', cancelled: 'orange' };

export function colourEnds<B extends AnyBuilder>(builder: B): B {
  for (const [name, fixedColor] of Object.entries(MEANING)) {
    builder.overrideByName(name, [{ id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor } }]);
  }
  return builder;
}

const namesAsMapping = (names: Readonly<Record<string, string>>): ValueMapping => ({
  type: MappingType.ValueToText,
  options: Object.fromEntries(Object.entries(names).map(([value, text], index) => [value, { text, index }])),
});

/** Grafana names queries A, B, C. */
function letter(index: number): string {
  if (index >= 26) throw new Error(`a panel of ${index + 1} queries is unreadable`);
  return String.fromCharCode('A'.charCodeAt(0) + index);
}
