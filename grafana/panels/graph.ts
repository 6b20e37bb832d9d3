/** Lines over time. Thresholds, where there are some, are drawn as lines of their own. */
import {
  AxisPlacement,
  GraphDrawStyle,
  GraphGradientMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { BY_NAME, colourEnds, dress, type PanelWords, type Unplaced } from './dress.ts';

interface GraphWords extends PanelWords {
  /** Parts of a whole: areas on top of each other. */
  readonly stacked?: boolean;
  /** Of what spans powers of ten: durations. */
  readonly logarithmic?: boolean;
  /** Holds its value until it changes: states and settings. */
  readonly steps?: boolean;
}

const THIN = 1;

export function graph(words: GraphWords): Unplaced {
  const lines = words.thresholds === undefined ? GraphThresholdsStyleMode.Off : GraphThresholdsStyleMode.Dashed;
  const scale = words.logarithmic
    ? new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10)
    : new ScaleDistributionConfigBuilder().type(ScaleDistribution.Linear);
  // What a file does not say of the axis Grafana takes from the data: rates near zero would look like mountains.
  const floor = words.logarithmic || words.min !== undefined ? words : { ...words, min: 0 };
  return colourEnds(dress(new PanelBuilder(), floor, BY_NAME))
    .drawStyle(GraphDrawStyle.Line)
    .lineInterpolation(words.steps ? LineInterpolation.StepAfter : LineInterpolation.Linear)
    .lineWidth(THIN)
    .fillOpacity(words.stacked ? 40 : 8)
    .gradientMode(GraphGradientMode.None)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .insertNulls(false)
    .axisPlacement(AxisPlacement.Auto)
    .scaleDistribution(scale)
    .stacking(new StackingConfigBuilder().group('A').mode(words.stacked ? StackingMode.Normal : StackingMode.None))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(lines))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['mean', 'max', 'lastNotNull'])
        .sortBy('Last *')
        .sortDesc(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending).hideZeros(false))
    .build();
}
