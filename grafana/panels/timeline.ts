/** A bar for each series, coloured by the state it was in. */
import {
  AxisPlacement,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  TimelineValueAlignment,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { BY_THRESHOLD, dress, type PanelWords, type Unplaced } from './dress.ts';

interface TimelineWords extends PanelWords {
  readonly thresholds: NonNullable<PanelWords['thresholds']>;
}

export const timeline = (words: TimelineWords): Unplaced =>
  dress(new PanelBuilder(), words, BY_THRESHOLD)
    .mergeValues(true)
    .alignValue(TimelineValueAlignment.Left)
    .showValue(VisibilityMode.Auto)
    .rowHeight(0.9)
    .lineWidth(0)
    .fillOpacity(80)
    .axisPlacement(AxisPlacement.Auto)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single).sort(SortOrder.None))
    .build();
