/** How a histogram changes over time: a column a moment, a cell a bucket, brighter where more fell into it. */
import {
  AxisPlacement,
  HeatmapCellLayout,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  TooltipDisplayMode,
  VisibilityMode,
} from '@grafana/grafana-foundation-sdk/common';
import {
  CellValuesBuilder,
  FilterValueRangeBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  HeatmapColorScale,
  PanelBuilder,
  RowsHeatmapOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { BY_THRESHOLD, dress, type PanelWords, type Unplaced } from './dress.ts';

/** Empty cells stay dark: that of "nothing" must not look like that of "little". */
const EMPTY = 1e-9;

export const heatmap = (words: PanelWords): Unplaced =>
  dress(new PanelBuilder(), words, BY_THRESHOLD, PromQueryFormat.Heatmap)
    .calculate(false)
    .color(
      new HeatmapColorOptionsBuilder()
        .mode(HeatmapColorMode.Scheme)
        .scheme('Turbo')
        .fill('dark-orange')
        .scale(HeatmapColorScale.Exponential)
        .exponent(0.5)
        .steps(64)
        .reverse(false),
    )
    .filterValues(new FilterValueRangeBuilder().le(EMPTY))
    .rowsFrame(new RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
    .showValue(VisibilityMode.Never)
    .cellGap(1)
    .cellValues(new CellValuesBuilder().unit('short').decimals(0))
    .yAxis(new YAxisConfigBuilder().unit(words.unit).axisPlacement(AxisPlacement.Left).reverse(false))
    .scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Linear))
    .showLegend()
    .mode(TooltipDisplayMode.Single)
    .showYHistogram()
    .showColorScale(true)
    .exemplarsColor('rgba(255,0,255,0.7)')
    .build();
